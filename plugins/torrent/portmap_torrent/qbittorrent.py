"""The publisher `qbittorrent:http://USER:PASS@HOST:8080`: qBittorrent's Web API, 4.1 and later.

Law: as in `client`. Without a user it does not log in: qBittorrent may be told to let this host in as it is.
(https://github.com/qbittorrent/qBittorrent/wiki/WebUI-API-(qBittorrent-4.1): auth/login, app/preferences,
app/setPreferences)
"""

import json
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlencode

from portmap.wire.http import SiteResponse
from portmap_torrent.client import TorrentClient

_FORM = "application/x-www-form-urlencoded"


class QBittorrent(TorrentClient):
    """One qBittorrent."""

    spec: ClassVar[str] = "qbittorrent"
    title: ClassVar[str] = "qBittorrent"
    form: ClassVar[str] = "qbittorrent:http://USER:PASSWORD@HOST:8080"

    _cookie = ""

    def wanted(self, port: int) -> dict[str, Any]:
        """As the preferences spell it."""
        return {"listen_port": port, "random_port": False, "upnp": False}

    def log_in(self) -> None:
        """Get a session's cookie. A wrong password is answered with 200 and `Fails.`, a shut-out with 403."""
        self._cookie = ""
        if self.site.user is None:
            return
        answer = self._post("auth/login", {"username": self.site.user, "password": self.site.password})
        if answer.status in {401, 403} or answer.body.strip() == b"Fails.":
            raise self.wrong_password(answer.status)
        if not answer.good:
            raise answer.refusal()
        self._cookie = answer.headers.get("set-cookie", "").partition(";")[0]

    def read(self) -> Mapping[str, Any]:
        """The preferences."""
        answer = self.call("/api/v2/app/preferences", None, self._headers())
        if answer.status in {401, 403}:
            raise self.wrong_password(answer.status)
        if not answer.good:
            raise answer.refusal()
        return self.table(answer.json())

    def write(self, settings: Mapping[str, Any]) -> None:
        """Change preferences."""
        answer = self._post("app/setPreferences", {"json": json.dumps(settings)})
        if not answer.good:
            raise answer.refusal()

    def _post(self, method: str, form: Mapping[str, str]) -> SiteResponse:
        body = urlencode(form).encode()
        return self.call(f"/api/v2/{method}", body, {"Content-Type": _FORM, **self._headers()})

    def _headers(self) -> dict[str, str]:
        """It takes requests only from a page of its own (CSRF protection): Referer or Origin says so."""
        own = {"Referer": str(self.site), "Origin": str(self.site)}
        return own | ({"Cookie": self._cookie} if self._cookie else {})
