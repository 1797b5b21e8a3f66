"""One HTTP exchange with a gateway, bounded in every direction.

Raises portmap errors only, and WaiterClosed where the caller waits on a `Waiter` that is closed meanwhile. Bounded: the
whole exchange ends by its time limit however slowly the bytes arrive, and reads no more than it was told to. No
redirect is followed. The gateway is called by address: no name is ever looked up.

`http.client` is imported where it is used: it takes 20 ms, which pass while the first SSDP answer is awaited
(`discovery`).
"""

import logging
import os
import re
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, NamedTuple

from portmap import __version__
from portmap.errors import Garbled, GatewayTimeout, NoGateway
from portmap.model import Address
from portmap.network.routes import bind_towards
from portmap.wire.waiter import Waiter
from portmap_upnp.location import Location

if TYPE_CHECKING:
    from http.client import HTTPResponse

    from _typeshed import ReadableBuffer, WriteableBuffer

HEAD_LIMIT = 16 * 1024  # bytes for all that is not body: headers, chunk sizes, interim answers; real ones have 500
CONNECT_TIMEOUT = 2.0  # seconds; a gateway is one hop away and connects within milliseconds or not at all
CONNECT_RETRY = 0.3  # seconds; sooner than TCP repeats a lost SYN (1 s, RFC 6298 §2)
USER_AGENT = f"portmap/{__version__} UPnP/1.1"
_COMPLETE = re.compile(rb"</(?:[\w.-]{1,20}:)?(?:root|Envelope|html)\s{0,9}>[\s\0]{0,99}\Z", re.IGNORECASE)
_TAIL = 160  # bytes: more than the above has
_log = logging.getLogger("portmap.wire.http")


@dataclass(frozen=True, slots=True)
class Request:
    """What to send: `headers` beside Host, User-Agent, Content-Length and Connection, which are written for it."""

    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None


class Reply(NamedTuple):
    """What came back. The names of `headers` are in lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str]


def exchange(
    location: Location,
    request: Request,
    *,
    limit: int,
    timeout: float,
    waiter: Waiter | None = None,
    source: Address | None = None,
) -> Reply:
    """Send the request and return the reply, whose body has at most `limit` bytes, within `timeout` seconds.

    `limit` 0: no body is wanted, and none is waited for.
    `source` is our own address to send from, where there are several. Raises NoGateway where nothing listens,
    GatewayTimeout, Garbled for what is no HTTP or too long, and WaiterClosed as soon as `waiter` is closed.
    """
    with (
        _as_portmap_errors(location, limit, timeout),
        closing(_connect(location, HEAD_LIMIT + limit, timeout, waiter, source)) as sock,
    ):
        return _ask(sock, location, request, limit)


@contextmanager
def _as_portmap_errors(location: Location, limit: int, timeout: float) -> Iterator[None]:
    from http.client import HTTPException  # noqa: PLC0415  # see above

    try:
        yield
    except _TooMuchData as error:
        raise Garbled(f"{location.host}:{location.port} answered with over {limit} bytes") from error
    except TimeoutError as error:
        raise GatewayTimeout(f"{location.host}:{location.port} did not answer within {timeout:.3g} s") from error
    except (HTTPException, ValueError, OverflowError) as error:  # the latter two: strange numbers in headers
        raise Garbled(f"{location.host}:{location.port} did not answer with HTTP: {error}") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise NoGateway(f"{location.host}:{location.port} cannot be reached: {reason}") from error


def acknowledge_with_data(sock: socket.socket) -> None:
    """Have what is received acknowledged by the packet that is sent next, where the system can do that (tcp(7))."""
    if hasattr(socket, "TCP_QUICKACK"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)


class _TooMuchData(Exception):
    """More was received than is allowed."""


class _BoundedSocket(socket.socket):
    """A TCP socket with limits for everything that it receives: one instant in time, and a number of bytes.

    http.client calls `sendall` for the head and again for the body, then `makefile`, whose reader calls `recv_into`. It
    counts neither interim answers nor headers nor trailers, and reads a chunk of size -1 for ever: the limits are here.
    What `sendall` collects leaves in one packet when the answer is read first, as miniupnpc sends it.
    """

    def __init__(self, family: socket.AddressFamily, timeout: float, allowance: int, waiter: Waiter | None) -> None:
        super().__init__(family, socket.SOCK_STREAM)
        acknowledge_with_data(self)  # 3 packets a call instead of 5
        self._deadline = time.monotonic() + timeout
        self._allowance = allowance
        self._waiter = waiter
        self._unsent = bytearray()

    def connect_soon(self, location: Location, source: Address | None) -> None:
        """Connect within CONNECT_RETRY. Raises OSError, TimeoutError, NoGateway and WaiterClosed."""
        timeout = min(CONNECT_RETRY, self._left())
        bind_towards(self, location.host, location.interface, source)
        address = location.to_dial
        if self._waiter is None:
            self.settimeout(timeout)
            self.connect(address)
            return
        self.setblocking(False)
        self.connect_ex(address)
        self._await(self._waiter, timeout, self)
        if error := self.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(error, os.strerror(error))

    def sendall(self, data: "ReadableBuffer", _flags: int = 0, /) -> None:
        self._unsent += data

    def recv_into(self, buffer: "WriteableBuffer", nbytes: int = 0, flags: int = 0) -> int:
        self.settimeout(self._left())
        if self._unsent:
            super().sendall(self._unsent)
            self._unsent.clear()
        if self._waiter:
            self._await(self._waiter, self._left())
        received = super().recv_into(buffer, nbytes, flags)
        self._allowance -= received
        if self._allowance < 0:
            raise _TooMuchData
        return received

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time for the whole answer is over")
        return left

    def _await(self, waiter: Waiter, timeout: float, writer: socket.socket | None = None) -> None:
        """Wait until there is something to read, or the `writer` is connected. Raises TimeoutError and WaiterClosed."""
        until = time.monotonic() + timeout
        while not waiter.wait(() if writer else (self,), max(0.0, until - time.monotonic()), writer=writer):
            if time.monotonic() >= until:
                raise TimeoutError("nothing came in time")


def _connect(
    location: Location, allowance: int, timeout: float, waiter: Waiter | None, source: Address | None
) -> _BoundedSocket:
    """A connection, by new attempts until one succeeds: on a lossy network that is sooner than TCP's own repetition."""
    deadline = time.monotonic() + timeout
    give_up = min(deadline, time.monotonic() + CONNECT_TIMEOUT)
    family = socket.AF_INET if isinstance(location.host, IPv4Address) else socket.AF_INET6
    while True:
        sock = _BoundedSocket(family, deadline - time.monotonic(), allowance, waiter)
        try:
            sock.connect_soon(location, source)
        except BaseException as error:  # WaiterClosed, too: whatever it is, the socket is ours to close
            sock.close()
            if not isinstance(error, TimeoutError) or time.monotonic() >= give_up:
                raise
        else:
            return sock


def _ask(sock: _BoundedSocket, location: Location, request: Request, limit: int) -> Reply:
    """Send and receive, with the headers in miniupnpc's order: routers are tested with that."""
    from http.client import HTTPConnection  # noqa: PLC0415  # see above

    connection = HTTPConnection(str(location.host).partition("%")[0], location.port)
    connection.sock = sock
    connection.putrequest(request.method, location.path, skip_accept_encoding=True)
    connection.putheader("User-Agent", USER_AGENT)
    if request.body is not None:
        connection.putheader("Content-Length", str(len(request.body)))
    for name, value in request.headers.items():
        connection.putheader(name, value)
    connection.putheader("Connection", "close")
    connection.endheaders(request.body)
    _log_wire("out", location, f"{request.method} {location.path}", request.body or b"")
    with connection.getresponse() as response:
        body = _read_body(response, limit)
        _log_wire("in", location, str(response.status), body)
        return Reply(response.status, body, {name.lower(): value for name, value in response.getheaders()})


def _read_body(response: "HTTPResponse", limit: int) -> bytes:
    """The body, which ends with the response, or with a description, a SOAP reply or an error page that is complete.

    Some routers count too many bytes, or give no length and leave the connection open, or reset it.
    """
    body = bytearray()
    if not limit:
        return b""
    while not _COMPLETE.search(body, max(0, len(body) - _TAIL)) and (more := response.read1(limit + 1 - len(body))):
        body += more
        if len(body) > limit:
            raise _TooMuchData
    return bytes(body)


def _log_wire(way: str, location: Location, head: str, body: bytes) -> None:
    """Log at DEBUG; the whole message is in the record's field `wire`, for `portmap.doctor.capture`."""
    wire = {"way": way, "over": "http", "peer": f"{location.host}:{location.port}", "head": head, "data": body}
    _log.debug("http %s %s %s, %d bytes", way, location, head, len(body), extra={"wire": wire})
