"""The publisher `deluge:http://:PASS@HOST:8112`: Deluge's web interface (deluge-web), 1.3 and later, by JSON-RPC.

Law: as in `client`. The web interface speaks for a daemon; where it is not connected to one, it is told to connect to
the first that it knows.
(https://deluge.readthedocs.io/en/latest/reference/webapi.html and /reference/api.html: auth.login, web.connect,
core.get_config_values, core.set_config)
"""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from portmap.errors import PortmapError, Refused, SpecError
from portmap.wire.http import DEADLINE
from portmap.wire.site import Site
from portmap_torrent.client import TorrentClient

_NOT_AUTHENTICATED = 1  # deluge.ui.web.json_api: AuthError's code


class Deluge(TorrentClient):
    """One Deluge."""

    spec: ClassVar[str] = "deluge"
    title: ClassVar[str] = "Deluge"
    form: ClassVar[str] = "deluge:http://:PASSWORD@HOST:8112"

    _cookie = ""

    def __init__(self, site: Site, name: str = "", deadline: float = DEADLINE) -> None:
        if not site.password:
            raise SpecError("the web interface has a password ('deluge' at first)")
        super().__init__(site, name, deadline)

    def wanted(self, port: int) -> dict[str, Any]:
        """As the core's configuration spells it."""
        return {"listen_ports": [port, port], "random_port": False, "upnp": False, "natpmp": False}

    def log_in(self) -> None:
        """Get a session's cookie, and have the web interface speak to its daemon."""
        self._cookie = ""
        if self._rpc("auth.login", self.site.password) is not True:
            raise self.wrong_password()
        if not self._rpc("web.connected"):
            self._connect()

    def read(self) -> Mapping[str, Any]:
        """The settings that interest us."""
        return self.table(self._rpc("core.get_config_values", list(self.wanted(0))))

    def write(self, settings: Mapping[str, Any]) -> None:
        """Change settings."""
        self._rpc("core.set_config", settings)

    def _connect(self) -> None:
        hosts = self._rpc("web.get_hosts")
        if not isinstance(hosts, list) or not hosts or not isinstance(hosts[0], list) or not hosts[0]:
            raise PortmapError(f"{self} knows no daemon: add one in its connection manager")
        self._rpc("web.connect", hosts[0][0])
        if not self._rpc("web.connected"):
            raise PortmapError(f"{self} is not connected to its daemon: is deluged running?")

    def _rpc(self, method: str, *params: Any) -> Any:
        body = json.dumps({"method": method, "params": params, "id": 1}).encode()
        headers = {"Content-Type": "application/json"} | ({"Cookie": self._cookie} if self._cookie else {})
        answer = self.call("/json", body, headers)
        if not answer.good:
            raise answer.refusal()
        self._cookie = answer.headers.get("set-cookie", self._cookie).partition(";")[0]
        told = self.table(answer.json())
        error = told.get("error")
        if error:
            raise self._refusal(method, error)
        return told.get("result")

    def _refusal(self, method: str, error: Any) -> Refused:
        known = error if isinstance(error, dict) else {}
        if known.get("code") == _NOT_AUTHENTICATED:
            return self.wrong_password()
        text = str(known.get("message", ""))[:200]
        return Refused(f"{self} refuses {method}: {text!r}", text=text)
