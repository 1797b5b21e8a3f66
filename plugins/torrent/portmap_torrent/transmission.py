"""The publisher `transmission:http://USER:PASS@HOST:9091`: Transmission's RPC, 2.x to 4.x.

Law: as in `client`.
(https://github.com/transmission/transmission/blob/main/docs/rpc-spec.md: §2.2.1 the session id that comes with a 409,
§4.1 session-set, session-get)
"""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from portmap.errors import Refused
from portmap_torrent.client import TorrentClient

_RPC = "/transmission/rpc"
_SESSION = "X-Transmission-Session-Id"


class Transmission(TorrentClient):
    """One Transmission. The URL's path, where there is one, is that of the RPC without its `/transmission/rpc`."""

    spec: ClassVar[str] = "transmission"
    title: ClassVar[str] = "Transmission"
    form: ClassVar[str] = "transmission:http://USER:PASSWORD@HOST:9091"

    _session = ""

    def wanted(self, port: int) -> dict[str, Any]:
        """As the session spells it."""
        return {"peer-port": port, "peer-port-random-on-start": False, "port-forwarding-enabled": False}

    def log_in(self) -> None:
        """Nothing to do: user and password go with every request."""

    def read(self) -> Mapping[str, Any]:
        """The session's settings."""
        return self._rpc("session-get", {})

    def write(self, settings: Mapping[str, Any]) -> None:
        """Change the session's settings."""
        self._rpc("session-set", settings)

    def _rpc(self, method: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        body = json.dumps({"method": method, "arguments": arguments}).encode()
        answer = self.call(_RPC, body, self._headers())
        if answer.status == 409:  # it wants to see its session id: a page of somebody else's could not know it
            self._session = answer.headers.get(_SESSION.lower(), "")
            answer = self.call(_RPC, body, self._headers())
        if answer.status == 401:
            raise self.wrong_password(answer.status)
        if not answer.good:
            raise answer.refusal()
        told = self.table(answer.json())
        if told.get("result") != "success":
            text = str(told.get("result"))[:200]
            raise Refused(f"{self} refuses {method}: {text!r}", text=text)
        return self.table(told.get("arguments", {}))

    def _headers(self) -> dict[str, str]:
        return {"Content-Type": "application/json", _SESSION: self._session, **self.site.basic}
