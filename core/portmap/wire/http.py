"""HTTP: one exchange over a connection, and one request to a site; bounded in time and bytes.

Rules:
- an exchange ends by its deadline, however slowly the bytes come;
- it reads no more than its limits: head (interim answers, headers, chunk sizes, trailers) and body count together;
- no redirect is followed, no proxy is asked, no cookie is kept;
- `exchange` raises OSError and HttpFault; `request` raises portmap errors only.

`http.client` is imported when it is used: it takes 20 ms.
"""

import io
import json
import re
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from portmap.errors import Garbled, PortmapError, Refused
from portmap.network.routes import bind_towards
from portmap.wire.site import Site

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from portmap.wire.waiter import Waiter

DEADLINE = 10.0  # seconds for the whole exchange; looking up the host's name comes on top
HEAD_LIMIT = 16 * 1024  # bytes; real heads have 500
BODY_LIMIT = 256 * 1024  # bytes; a torrent client's settings have 10 KB
MAX_WORDS = 200  # characters that a message repeats of what a site says
_TAGS = re.compile(r"<(?:style|script|title).*?</\w+>|<[^>]*>", re.IGNORECASE | re.DOTALL)


class HttpFault(Exception):
    """The peer did not speak HTTP as it must: garbage, an answer cut off, or more bytes than the limit."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What to send. `headers` beside Host, Content-Length and Connection, which are written for it."""

    method: str = "GET"
    target: str = "/"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """What came back. The names of `headers` are in lower case; `cookies` has each Set-Cookie header."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    cookies: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """Whether the status is one of success."""
        return 200 <= self.status <= 299

    @property
    def words(self) -> str:
        """What the body says to people: its text without tags, in one short line."""
        text = _TAGS.sub(" ", self.body[: 10 * MAX_WORDS].decode("utf-8", "replace"))
        return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:MAX_WORDS]


@dataclass(frozen=True, slots=True)
class SiteResponse(HttpResponse):
    """The response of a site, which its errors name."""

    site: Site = field(kw_only=True)

    def json(self) -> Any:
        """The body as JSON. Raises Garbled."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise Garbled(f"{self.site} did not answer with JSON: is that the right URL?") from None

    def refusal(self, retry_after: float = 0.0) -> Refused:
        """The error for a status that is none of success."""
        return Refused(
            f"{self.site} answered with HTTP status {self.status}", code=self.status, retry_after=retry_after
        )


class _BoundedSocket:
    """What `http.client` takes for a socket: limits for all that is received, not for each piece.

    `http.client` alone counts neither interim answers nor headers nor trailers, and reads a chunk of size -1 for ever.
    It also sends head and body apart: here they leave together, in one packet if they fit, before the first read.
    """

    def __init__(self, link: socket.socket, deadline: float, allowance: int, waiter: "Waiter | None") -> None:
        self._link = link
        self._deadline = deadline
        self._allowance = allowance
        self._waiter = waiter
        self._unsent = bytearray()

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Incoming(self))

    def close(self) -> None:
        """The connection is its owner's to close."""

    def sendall(self, data: bytes) -> None:
        self._unsent += data

    def receive(self, buffer: "WriteableBuffer") -> int:
        while self._unsent:
            self._link.settimeout(self._left())
            del self._unsent[: self._link.send(self._unsent)]
        if self._waiter:
            self._wait(self._waiter)
        self._link.settimeout(self._left())
        received = self._link.recv_into(buffer)
        self._allowance -= received
        if self._allowance < 0:
            raise HttpFault("the answer is too long")
        return received

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time for the whole answer is over")
        return left

    def _wait(self, waiter: "Waiter") -> None:
        while not waiter.wait((self._link,), self._left()):
            pass


class _Incoming(io.RawIOBase):
    """The received bytes as a stream."""

    def __init__(self, link: _BoundedSocket) -> None:
        self._link = link

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        return self._link.receive(buffer)


def exchange(
    link: socket.socket,
    host: str,
    request: HttpRequest,
    *,
    deadline: float,
    body_limit: int = BODY_LIMIT,
    waiter: "Waiter | None" = None,
) -> HttpResponse:
    """Send the request over a connection and return the answer, by `deadline` (of time.monotonic).

    `host` is the header Host. With a `waiter`, its owner can end the wait for an answer (a plain connection only).
    Raises TimeoutError and other OSErrors, HttpFault, and WaiterClosed.
    """
    from http.client import HTTPConnection, HTTPException, IncompleteRead  # noqa: PLC0415  # see above

    connection = HTTPConnection("unused")
    # It needs sendall, makefile and close of a socket, and no more.
    connection.sock = _BoundedSocket(link, deadline, HEAD_LIMIT + body_limit, waiter)
    headers = {"Host": host, **request.headers, "Connection": "close"}
    try:
        connection.request(request.method, request.target, request.body, headers)
        with connection.getresponse() as response:
            body = response.read(body_limit + 1)
            if len(body) > body_limit:
                raise HttpFault("the answer is too long")
            if response.length:  # `read` with a number takes what was cut off for what was complete
                raise IncompleteRead(body, response.length)
            cookies = tuple(response.headers.get_all("Set-Cookie") or ())
            return HttpResponse(
                response.status, {name.lower(): text for name, text in response.getheaders()}, body, cookies
            )
    except (HTTPException, ValueError, OverflowError) as error:  # the latter two: strange numbers in headers
        if isinstance(error, OSError):
            raise  # RemoteDisconnected is a ConnectionResetError, too
        raise HttpFault("the answer is no HTTP") from error


def request(
    site: Site,
    path: str | None = None,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    *,
    method: str = "",
    deadline: float = DEADLINE,
    interface: str | None = None,
    version: int | None = None,
    ipv4_first: bool = False,
) -> SiteResponse:
    """POST the body, or GET where there is none, `path` in the place of the site's own.

    `interface`: the one of this host to connect by; None: the routing table decides. `version`: of IP, to connect over;
    None: any, in the system's order, or with `ipv4_first` in that one. The name is looked up as the system does.
    Raises PortmapError where no answer comes within `deadline` seconds, or none that can be trusted; Garbled for what
    is not HTTP or too long.
    """
    until = time.monotonic() + deadline
    told = {"User-Agent": "portmap", **(headers or {})}
    asked = HttpRequest(method or ("GET" if body is None else "POST"), path or site.path, told, body)
    with _portmap_errors(site, until, deadline):
        addresses = _addresses(site, version)
        if ipv4_first:
            addresses.sort(key=lambda it: it[0] != socket.AF_INET)
        link = _connected(site, until, interface, addresses)
    with _portmap_errors(site, until, deadline), closing(link):
        answer = exchange(link, site.authority, asked, deadline=until)
        return SiteResponse(answer.status, answer.headers, answer.body, answer.cookies, site=site)


_FAMILIES = {None: socket.AF_UNSPEC, 4: socket.AF_INET, 6: socket.AF_INET6}


def _addresses(site: Site, version: int | None) -> list[Any]:
    """The host's addresses of this IP version, as getaddrinfo gives them. Raises OSError."""
    try:
        return socket.getaddrinfo(site.host, site.port, _FAMILIES[version], socket.SOCK_STREAM)
    except socket.gaierror as error:
        if version is None:
            raise
        raise PortmapError(f"{site} cannot be reached over IPv{version}, which is needed: {error.strerror}") from error


def _connected(site: Site, until: float, interface: str | None, addresses: list[Any]) -> socket.socket:
    """A connection to the first of the addresses that takes one. Raises OSError, NoGateway for the interface."""
    failure: OSError = OSError("the name has no address")
    for family, kind, number, _, address in addresses:
        link = socket.socket(family, kind, number)
        try:
            link.settimeout(max(0.01, until - time.monotonic()))
            if interface is not None:
                bind_towards(link, ip_address(str(address[0])), interface)
            link.connect(address)
            link.settimeout(max(0.01, until - time.monotonic()))
            return site.connect(link)
        except ssl.SSLError:
            link.close()
            raise
        except OSError as error:
            link.close()
            failure = error
        except BaseException:  # a stop, too: no other code closes the socket
            link.close()
            raise
    raise failure


@contextmanager
def _portmap_errors(site: Site, until: float, deadline: float) -> Iterator[None]:
    try:
        yield
    except HttpFault as error:
        raise Garbled(f"{site}: {error}: is that the right URL?") from None
    except ssl.SSLCertVerificationError as error:
        raise PortmapError(
            f"{site} has a certificate that is not trusted: {error.verify_message}: if it is your own, put #ca=FILE "
            f"(the certificate, or the one that signed it) or #pin=SHA256 (its fingerprint) behind the URL"
        ) from None
    except OSError as error:
        if isinstance(error, TimeoutError) or time.monotonic() >= until:
            raise PortmapError(f"{site} did not answer within {deadline:g} s: is it running?") from None
        if isinstance(error, ssl.SSLError):
            raise PortmapError(f"{site} speaks no TLS that we know ({error.reason}): is it http:// there?") from None
        raise PortmapError(f"{site} cannot be reached: {error.strerror or error}: is it running?") from None
    except UnicodeError:  # a host name of impossible length, from the name's encoding
        raise PortmapError(f"{site} cannot be reached: that is no host name") from None
