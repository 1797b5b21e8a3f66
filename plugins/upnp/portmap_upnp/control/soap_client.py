"""Stands between miniupnpc and the gateway, on loopback, for the length of a talk.

Law: miniupnpc meets nobody else. It fetches its description here (`description.render`) and posts its SOAP here; the
gatekeeper carries the request to the vetted control URL with limits of its own, judges the reply (`soap`), keeps the
error, and hands on a plain rewrite. So the gateway cannot serve one document for vetting and another for use, nor
drip, flood, confuse the C parser, pass a 404 off as a yes, or lose an error code; and the wire is seen at DEBUG.

It costs one loopback connection a call, about 0.2 ms.
"""

import logging
import os
import socket
import time
from contextlib import closing, suppress
from threading import Thread
from typing import BinaryIO, Self, cast

from portmap.errors import GatewayTimeout, NATError, NoGateway
from portmap_upnp.control import soap
from portmap_upnp.discovery.description import Service, render
from portmap_upnp.http import Request, exchange

REPLY_LIMIT = 64 * 1024  # bytes; real replies have under 1 KiB
CALL_PATIENCE = 4.0  # seconds; must stay under the 5 s that miniupnpc waits for us
_LOCAL_PATIENCE = 1.0  # seconds; our own process at the other end
_MAX_LINE = 1024
_MAX_HEADERS = 32
_MAX_BODY = 8 * 1024  # bytes; miniupnpc's requests stay under 2 KiB
_SHOWN = 2000  # bytes of a reply that the log shows
_PASSED_ON = ("Content-Type", "SOAPAction", "User-Agent")
_log = logging.getLogger("portmap.upnp")


class Gatekeeper:
    """Serves one service of one gateway, inside `with`."""

    def __init__(self, service: Service, deadline: float) -> None:
        self._service = service
        self.deadline = deadline
        """When all talk ends (time.monotonic). Whoever talks may move it between two calls."""
        self._path = f"/{os.urandom(8).hex()}"  # other users of this host do not know it
        self._open = True
        self.failure: NATError | None = None
        """What was wrong with the last call; None if the gateway said yes."""

    def __enter__(self) -> Self:
        try:
            self._door = socket.create_server(("127.0.0.1", 0))
        except OSError as error:
            raise NoGateway(f"no socket on loopback: {error.strerror}; is the interface lo up?") from error
        self._thread = Thread(target=self._serve, name="upnp gatekeeper", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._open = False
        with closing(self._door), suppress(OSError):  # a knock ends accept() on every system
            socket.create_connection(self._door.getsockname(), _LOCAL_PATIENCE).close()
            self._thread.join(_LOCAL_PATIENCE)

    @property
    def description_url(self) -> str:
        """Where miniupnpc finds the vetted description."""
        return f"http://127.0.0.1:{self._door.getsockname()[1]}{self._path}"

    def expect(self) -> None:
        """Before a call: until the gateway has answered, it has not."""
        self.failure = NoGateway("the UPnP library sent nothing: is the loopback interface up?")

    def _serve(self) -> None:
        while self._open:
            visitor, _ = self._door.accept()
            with closing(visitor):
                visitor.settimeout(_LOCAL_PATIENCE)
                try:
                    self._receive(visitor)
                except (OSError, ValueError) as error:  # a visitor who is not miniupnpc
                    _log.debug("gatekeeper: visitor sent away: %s", error)

    def _receive(self, visitor: socket.socket) -> None:
        with visitor.makefile("rb") as lines:
            line = lines.readline(_MAX_LINE).decode("ascii")
            if line.startswith(f"GET {self._path} "):
                status, body = 200, self._description()
            elif line.startswith(f"POST {self._path}/control "):
                status, body = self._carry(cast("BinaryIO", lines))
            else:
                return
        head = (
            f"HTTP/1.1 {status} -\r\nContent-Type: text/xml\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        visitor.sendall(head.encode("ascii") + body)

    def _description(self) -> bytes:
        self.failure = None
        return render(self._service, f"{self._path}/control")

    def _carry(self, lines: BinaryIO) -> tuple[int, bytes]:
        """Take miniupnpc's request to the gateway; what it may read as the answer."""
        headers = _read_headers(lines)
        body = lines.read(min(int(headers["Content-Length"]), _MAX_BODY))
        action = headers["SOAPAction"].strip('"').rpartition("#")[2]
        ours, theirs = self._service.usual_kind, self._service.service_type
        passed_on = {name: headers[name].replace(ours, theirs) for name in _PASSED_ON if name in headers}
        try:
            values = self._call(action, Request("POST", passed_on, body.replace(ours.encode(), theirs.encode())))
        except NATError as error:
            self.failure = error
            return 500, soap.render({})
        self.failure = None
        return 200, soap.render(values)

    def _call(self, action: str, request: Request) -> dict[str, str]:
        patience = min(CALL_PATIENCE, self.deadline - time.monotonic())
        if patience <= 0:
            raise GatewayTimeout(f"no time left for {action}: {self._service.control.host} answers too slowly")
        _log.debug("-> %s %r", self._service.control, request.body)
        reply = exchange(self._service.control, request, limit=REPLY_LIMIT, patience=patience)
        _log.debug("<- %s %d %r", self._service.control, reply.status, reply.body[:_SHOWN])
        return soap.parse_reply(action, reply.status, reply.body)


def _read_headers(lines: BinaryIO) -> dict[str, str]:
    """Headers as miniupnpc spells them, up to the empty line; the two that we need are there."""
    headers = {"Content-Length": "0", "SOAPAction": ""}
    for _ in range(_MAX_HEADERS):
        name, colon, value = lines.readline(_MAX_LINE).decode("ascii").partition(":")
        if not colon:
            break
        headers[name] = value.strip()
    return headers
