"""CallbackServer: HTTP server for GENA event messages.

Accepts connections from the gateway's address only, on our own address towards it. Bounded in size and time. The
message is passed on as it came; `gena` judges it.
"""

import logging
import os
import re
import socket
import time
from contextlib import closing
from ipaddress import ip_address

from portmap.model import Address
from portmap.network.interface import use_interface
from portmap.wire.waiter import Waiter
from portmap_upnp.http import acknowledge_with_data
from portmap_upnp.notifications.gena import HEAD_END

LIMIT = 16 * 1024  # bytes of one event; real ones have 1 KiB
TIMEOUT = 1.0  # seconds for one event
_BACKLOG = 64  # connections that wait; other hosts can make them, too
_HEAD_END_LENGTH = 4  # bytes at the most
_MOMENT = 0.01  # seconds between two reads of an incomplete event
_THANKS = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_LENGTH = re.compile(rb"(?im)^content-length[ \t]*:[ \t]*([0-9]{1,6})[ \t]*\r?$")
_log = logging.getLogger("portmap.upnp")


class CallbackServer:
    """Listens from the moment it is made until `close`; on the interface only, if one is given. Raises OSError."""

    def __init__(self, us: Address, gateway: Address, interface: str | None = None) -> None:
        self._gateway = gateway
        self.path = f"/{os.urandom(8).hex()}"  # only the gateway is told
        self.sock = socket.create_server((str(us), 0), backlog=_BACKLOG)
        """To wait on."""
        self.sock.setblocking(False)
        acknowledge_with_data(self.sock)  # accepted connections, too
        use_interface(self.sock, interface)  # an accepted connection is bound to it as well

    @property
    def url(self) -> str:
        """Where to deliver."""
        host, port = self.sock.getsockname()
        return f"http://{host}:{port}{self.path}"

    def receive(self, line: Waiter) -> bytes:
        """The request of the gateway, if it waits; b"" if that is none, or it does not. Raises WaiterClosed.

        Other hosts are refused; of them no more are looked at than can wait, so that they do not keep us busy.
        """
        for _ in range(_BACKLOG):
            try:
                visitor, (host, _) = self.sock.accept()
            except OSError:  # no visitor is left
                return b""
            with closing(visitor):
                if ip_address(host) == self._gateway:
                    return _receive(visitor, line)
                _log.debug("%s connected to the callback server: refused", host)
        return b""

    def close(self) -> None:
        """Close the server."""
        self.sock.close()


def _receive(visitor: socket.socket, line: Waiter) -> bytes:
    """One request, as long as it says or until it ends; then thank for it."""
    visitor.setblocking(False)
    until = time.monotonic() + TIMEOUT
    request = bytearray()
    end = 0
    try:
        while not (end and len(request) >= end) and len(request) <= LIMIT and (left := until - time.monotonic()) > 0:
            if line.wait((visitor,), left):
                more = visitor.recv(LIMIT)
                if not more:
                    break
                begin = max(0, len(request) - _HEAD_END_LENGTH + 1)  # only new bytes are searched
                request += more
                end = end or _expected_length(request, begin)
                if not end or len(request) < end:
                    line.wait(timeout=_MOMENT)  # bytes that drip are read together
        if hasattr(socket, "TCP_CORK"):  # the answer and the end in one packet
            visitor.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        visitor.send(_THANKS)
    except OSError as error:
        _log.debug("an event was not delivered: %s", error)
    return bytes(request)


def _expected_length(request: bytearray, begin: int) -> int:
    """How many bytes the whole request has; 0 while its head is incomplete, or where the head does not say."""
    end = HEAD_END.search(request, begin)
    length = _LENGTH.search(request[: end.start()]) if end else None
    return end.end() + int(length[1]) if end and length else 0
