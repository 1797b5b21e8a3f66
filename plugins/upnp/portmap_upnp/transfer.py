"""One HTTP exchange with a gateway, bounded in every direction.

Law: the whole exchange ends by its time limit however slowly the bytes drip, reads no more than it was told to,
follows no redirect, and lets only portmap errors out. The gateway is called by address: no name is ever looked up.

`http.client` is imported where it is used: it takes 20 ms, which the wait for the first SSDP answer hides
(`discovery`).
"""

import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from portmap.errors import Garbled, GatewayTimeout, NoGateway
from portmap_upnp.location import Location

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

HEAD_LIMIT = 16 * 1024  # bytes for all that is not body: headers, chunk sizes, interim answers; real ones have 500
CONNECT_PATIENCE = 2.0  # seconds; a gateway is one hop away and connects within milliseconds or not at all


@dataclass(frozen=True, slots=True)
class Request:
    """What to send: `headers` beside Host and Content-Length, which are written for it."""

    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None


def exchange(location: Location, request: Request, *, limit: int, patience: float) -> tuple[int, bytes]:
    """Send the request and return status and body, of at most `limit` bytes, within `patience` seconds.

    Raises NoGateway where nobody listens, GatewayTimeout, and Garbled for what is no HTTP or too long.
    """
    with _our_errors(location, limit, patience), closing(_connect(location, patience)) as link:
        return _ask(link, location, request, limit)


@contextmanager
def _our_errors(location: Location, limit: int, patience: float) -> Iterator[None]:
    from http.client import HTTPException  # noqa: PLC0415  # see above

    try:
        yield
    except _Flood as error:
        raise Garbled(f"{location.host}:{location.port} answered with over {limit} bytes") from error
    except TimeoutError as error:
        raise GatewayTimeout(f"{location.host}:{location.port} did not answer within {patience:.3g} s") from error
    except (HTTPException, ValueError, OverflowError) as error:  # the latter two: strange numbers in headers
        raise Garbled(f"{location.host}:{location.port} answered what is no HTTP: {error}") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise NoGateway(f"{location.host}:{location.port} cannot be reached: {reason}") from error


class _Flood(Exception):
    """More was received than is allowed."""


class _Link(socket.socket):
    """A TCP socket with limits for all that is received, not for each piece: one instant, and a number of bytes.

    `http.client` alone counts neither interim answers nor headers nor trailers, and reads a chunk of size -1 for ever.
    """

    deadline = 0.0
    allowance = 0

    def recv_into(self, buffer: "WriteableBuffer", nbytes: int = 0, flags: int = 0) -> int:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time for the whole answer is over")
        self.settimeout(left)
        received = super().recv_into(buffer, nbytes, flags)
        self.allowance -= received
        if self.allowance < 0:
            raise _Flood
        return received


def _connect(location: Location, patience: float) -> _Link:
    link = _Link(socket.AF_INET, socket.SOCK_STREAM)
    link.deadline = time.monotonic() + patience
    try:
        link.settimeout(max(0.0, min(CONNECT_PATIENCE, patience)) or 0.001)
        link.connect((str(location.host), location.port))
    except OSError:
        link.close()
        raise
    return link


def _ask(link: _Link, location: Location, request: Request, limit: int) -> tuple[int, bytes]:
    from http.client import HTTPConnection  # noqa: PLC0415  # see above

    link.allowance = HEAD_LIMIT + limit
    connection = HTTPConnection(str(location.host), location.port)
    connection.sock = link
    connection.request(request.method, location.path, request.body, {**request.headers, "Connection": "close"})
    with connection.getresponse() as response:
        body = response.read(limit + 1)
        if len(body) > limit:
            raise _Flood
        return response.status, body
