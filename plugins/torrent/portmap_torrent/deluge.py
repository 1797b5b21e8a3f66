"""The publisher `deluge:http://:PASSWORD@HOST:8112`: Deluge's web interface (deluge-web), 1.3 and later, by JSON-RPC.

The web interface speaks for a daemon. Where it is not connected to one, it is told to connect to the first that it
knows. (https://deluge.readthedocs.io/en/latest/reference/webapi.html and /reference/api.html: auth.login,
web.connected, core.get_config_values, core.set_config, core.get_listen_port)
"""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from portmap.errors import PortmapError, Refused, SpecError
from portmap.wire.http import DEADLINE, MAX_WORDS, request
from portmap.wire.site import Site
from portmap_torrent.client import TorrentClient
from portmap_torrent.known_cookies import KnownCookies

_NOT_AUTHENTICATED = 1  # deluge.ui.web.json_api: AuthError's code


class _NotAuthenticated(PortmapError):
    """There is no session, or it has ended."""


class Deluge(TorrentClient):
    """One Deluge."""

    spec: ClassVar[str] = "deluge"
    title: ClassVar[str] = "Deluge"
    form: ClassVar[str] = "deluge:http://:PASSWORD@HOST:8112"
    program: ClassVar[str] = "deluge"

    def __init__(self, site: Site, name: str = "", deadline: float = DEADLINE) -> None:
        if not site.password:
            raise SpecError("the web interface has a password ('deluge' at first)")
        super().__init__(site, name, deadline)
        self._cookies: dict[str, str] = {}
        self._known_cookies = KnownCookies()

    def wanted(self, port: int) -> dict[str, Any]:
        """As the core's configuration spells it."""
        return {"listen_ports": [port, port], "random_port": False, "upnp": False, "natpmp": False}

    def read(self) -> Mapping[str, Any]:
        """The settings that concern us; logs in first where there is no session."""
        try:
            self._connect_to_daemon()
        except _NotAuthenticated:
            self._log_in()
            self._connect_to_daemon()
        return self.table(self._rpc("core.get_config_values", list(self.wanted(0))))

    def write(self, settings: Mapping[str, Any]) -> None:
        """Change settings."""
        self._rpc("core.set_config", settings)

    def obstacle(self, port: int) -> str | None:
        """Deluge says itself on which port it listens."""
        heard = self._rpc("core.get_listen_port")
        return None if heard == port else f"it listens on {heard}" if heard else "it listens on none: see its log"

    def _log_in(self) -> None:
        self._cookies = {}
        self._known_cookies.forget()
        if self._rpc("auth.login", self.site.password) is not True:
            raise self.wrong_login()

    def _connect_to_daemon(self) -> None:
        if self._rpc("web.connected"):
            return
        hosts = self._rpc("web.get_hosts")
        if not isinstance(hosts, list) or not hosts or not isinstance(hosts[0], list) or not hosts[0]:
            raise PortmapError(f"{self} knows no daemon: add one in its connection manager")
        self._rpc("web.connect", hosts[0][0])
        if not self._rpc("web.connected"):
            raise PortmapError(f"{self} is not connected to its daemon: is deluged running?")

    def _rpc(self, method: str, *params: Any) -> Any:
        """Call a method. Raises Refused, _NotAuthenticated, Garbled, and PortmapError as `request`."""
        body = json.dumps({"method": method, "params": params, "id": 1}).encode()
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        headers = {"Content-Type": "application/json"} | ({"Cookie": cookies} if cookies else {})
        answer = request(self.site, f"{self.path}/json", body, headers, deadline=self._deadline)
        for cookie in self._known_cookies.of(answer.cookies):  # a proxy in between may have cookies of its own
            name, _, value = cookie.partition(";")[0].strip().partition("=")
            self._cookies[name] = value
        if not answer.good:
            raise self.refusal(answer)
        told = self.table(answer.json())
        if told.get("error"):
            raise self._rpc_error(method, told["error"])
        return told.get("result")

    def _rpc_error(self, method: str, error: Any) -> PortmapError:
        known = error if isinstance(error, dict) else {}
        if known.get("code") == _NOT_AUTHENTICATED:
            return _NotAuthenticated(f"{self} wants a login for {method}")
        text = self.site.masked(str(known.get("message", ""))[:MAX_WORDS])
        return Refused(f"{self} refuses {method}: {text!r}", text=text)
