"""One HTTP exchange with a gateway, bounded in every direction.

Law: the whole exchange ends by its time limit however slowly the bytes drip, reads no more than it was told to,
follows no redirect, and lets only portmap errors out - and HungUp, where the caller waits on a `Line` that is hung up
meanwhile. The gateway is called by address: no name is ever looked up.

`http.client` is imported where it is used: it takes 20 ms, which the wait for the first SSDP answer hides
(`discovery`).
"""

import logging
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from portmap.errors import Garbled, GatewayTimeout, NoGateway
from portmap.model import Address
from portmap.wire.waiter import Waiter
from portmap_upnp.location import Location
from portmap_upnp.location6 import Location6

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

HEAD_LIMIT = 16 * 1024  # bytes for all that is not body: headers, chunk sizes, interim answers; real ones have 500
CONNECT_PATIENCE = 2.0  # seconds; a gateway is one hop away and connects within milliseconds or not at all
CONNECT_RETRY = 0.3  # seconds; TCP itself repeats a lost SYN after 1 s, then 3: RFC 6298 §2
_log = logging.getLogger("portmap.wire.http")


@dataclass(frozen=True, slots=True)
class Request:
    """What to send: `headers` beside Host and Content-Length, which are written for it."""

    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back. The names of `headers` are in lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str]


def exchange(
    location: Location | Location6,
    request: Request,
    *,
    limit: int,
    patience: float,
    line: Waiter | None = None,
    source: Address | None = None,
) -> Reply:
    """Send the request and return the reply, whose body has at most `limit` bytes, within `patience` seconds.

    `source` is our own address to send from, of several. Raises NoGateway where nobody listens, GatewayTimeout, and
    Garbled for what is no HTTP or too long; HungUp as soon as `line` is hung up.
    """
    with (
        _our_errors(location, limit, patience),
        closing(_connected(location, HEAD_LIMIT + limit, patience, line, source)) as link,
    ):
        return _ask(link, location, request, limit)


@contextmanager
def _our_errors(location: Location | Location6, limit: int, patience: float) -> Iterator[None]:
    from http.client import HTTPException  # noqa: PLC0415  # see above

    try:
        yield
    except _TooMuchData as error:
        raise Garbled(f"{location.host}:{location.port} answered with over {limit} bytes") from error
    except TimeoutError as error:
        raise GatewayTimeout(f"{location.host}:{location.port} did not answer within {patience:.3g} s") from error
    except (HTTPException, ValueError, OverflowError) as error:  # the latter two: strange numbers in headers
        raise Garbled(f"{location.host}:{location.port} answered what is no HTTP: {error}") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise NoGateway(f"{location.host}:{location.port} cannot be reached: {reason}") from error


class _TooMuchData(Exception):
    """More was received than is allowed."""


class _BoundedSocket(socket.socket):
    """A TCP socket with limits for all that is received, not for each piece: one instant, and a number of bytes.

    `http.client` alone counts neither interim answers nor headers nor trailers, and reads a chunk of size -1 for ever.
    It also sends head and body apart: here they leave together, with the first look for an answer, in one packet.
    """

    def __init__(self, family: socket.AddressFamily, patience: float, allowance: int, line: Waiter | None) -> None:
        super().__init__(family, socket.SOCK_STREAM)
        self._deadline = time.monotonic() + patience
        self._allowance = allowance
        self._line = line
        self._unsent = bytearray()

    def reach(self, location: Location | Location6, source: Address | None) -> None:
        """Connect, soon or not at all."""
        patience = min(CONNECT_RETRY, self._left())
        if source is not None:
            self.bind((str(source), 0))
        where = location.to_dial
        if self._line is None:
            self.settimeout(patience)
            self.connect(where)
            return
        self.setblocking(False)
        self.connect_ex(where)
        self._await(self._line, patience, self)
        if error := self.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(error, os.strerror(error))

    def sendall(self, data: "ReadableBuffer", _flags: int = 0, /) -> None:
        self._unsent += data

    def recv_into(self, buffer: "WriteableBuffer", nbytes: int = 0, flags: int = 0) -> int:
        self.settimeout(self._left())
        if self._unsent:
            super().sendall(self._unsent)
            self._unsent.clear()
        if self._line:
            self._await(self._line, self._left())
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

    def _await(self, line: Waiter, patience: float, writer: socket.socket | None = None) -> None:
        """Wait until there is something to read, or the `writer` is connected. Raises TimeoutError or HungUp."""
        until = time.monotonic() + patience
        while not line.wait(() if writer else (self,), max(0.0, until - time.monotonic()), writer=writer):
            if time.monotonic() >= until:
                raise TimeoutError("nothing came in time")


def _connected(
    location: Location | Location6, allowance: int, patience: float, line: Waiter | None, source: Address | None
) -> _BoundedSocket:
    """A link to the gateway, by as many new connections as it takes: on a lossy network that is sooner than waiting."""
    deadline = time.monotonic() + patience
    give_up = min(deadline, time.monotonic() + CONNECT_PATIENCE)
    while True:
        family = socket.AF_INET if isinstance(location, Location) else socket.AF_INET6
        link = _BoundedSocket(family, deadline - time.monotonic(), allowance, line)
        try:
            link.reach(location, source)
        except BaseException as error:  # HungUp, too: whatever it is, the socket is ours to close
            link.close()
            if not isinstance(error, TimeoutError) or time.monotonic() >= give_up:
                raise
        else:
            return link


def _ask(link: _BoundedSocket, location: Location | Location6, request: Request, limit: int) -> Reply:
    from http.client import HTTPConnection  # noqa: PLC0415  # see above

    connection = HTTPConnection(str(location.host).partition("%")[0], location.port)
    connection.sock = link
    connection.request(request.method, location.path, request.body, {**request.headers, "Connection": "close"})
    _note("out", location, f"{request.method} {location.path}", request.body or b"")
    with connection.getresponse() as response:
        body = response.read(limit + 1)
        if len(body) > limit:
            raise _TooMuchData
        _note("in", location, str(response.status), body)
        return Reply(response.status, body, {name.lower(): value for name, value in response.getheaders()})


def _note(way: str, location: Location | Location6, head: str, body: bytes) -> None:
    """Tell whoever captures the wire (`portmap.doctor.capture`): the whole message, in the record's field `wire`."""
    wire = {"way": way, "over": "http", "peer": f"{location.host}:{location.port}", "head": head, "data": body}
    _log.debug("http %s %s %s, %d bytes", way, location, head, len(body), extra={"wire": wire})
