"""One HTTP exchange with a site that the user named, bounded in every direction.

Law: it ends by its deadline however slowly the bytes drip, reads no more of the answer than it was told to, follows no
redirect, asks no proxy, and lets only portmap errors out. What may be secret - user, password, path and query - is in
no message and no `str`.
"""

import json
import re
import socket
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse, IncompleteRead
from typing import Any
from urllib.parse import unquote, urlsplit

from portmap.errors import Garbled, PortmapError, Refused, SpecError
from portmap.model import MAX_PORT

DEADLINE = 10.0  # seconds for the whole exchange, the look-up of the name apart
LIMIT = 256 * 1024  # bytes of an answer's body; a torrent client's settings have 10 KB
_PORTS = {"http": 80, "https": 443}
_URL = re.compile(r"[!-~]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Site:
    """A URL, taken apart. `path` has the query with it; `user` is None where the URL names none."""

    scheme: str
    host: str
    port: int
    path: str = field(default="/", repr=False)
    user: str | None = field(default=None, repr=False)
    password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, url: str) -> "Site":
        """Take a URL apart. Raises SpecError, which does not repeat it: it may hold a password."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise SpecError("the URL has an unusable host or port: write http://HOST:PORT/PATH") from error
        if not _URL.fullmatch(url) or parts.scheme not in _PORTS or not parts.hostname or parts.fragment:
            raise SpecError("the URL makes no sense: write http://HOST:PORT/PATH, other than ASCII percent-encoded")
        if port is not None and not 1 <= port <= MAX_PORT:
            raise SpecError(f"port {port} of the URL is out of range: use 1 to {MAX_PORT}")
        return cls(
            parts.scheme,
            parts.hostname,
            port or _PORTS[parts.scheme],
            (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
            None if parts.username is None else unquote(parts.username),
            unquote(parts.password or ""),
        )

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"

    @property
    def authority(self) -> str:
        """Host and port, as a URL and the header Host spell them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def basic(self) -> dict[str, str]:
        """The header that names the user (RFC 7617), if there is one."""
        if self.user is None:
            return {}
        return {"Authorization": f"Basic {b64encode(f'{self.user}:{self.password}'.encode()).decode()}"}


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """What came back. The names of `headers` are in lower case."""

    site: Site
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def good(self) -> bool:
        """Whether the status is one of success."""
        return 200 <= self.status <= 299

    def json(self) -> Any:
        """The body as JSON. Raises Garbled."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise Garbled(f"{self.site} answered what is no JSON: is that the right URL?") from error

    def refusal(self, retry_after: float = 0.0) -> Refused:
        """The error that an answer without success is."""
        text = f"{self.site} answered with HTTP status {self.status}"
        return Refused(text, code=self.status, retry_after=retry_after)


def request(
    site: Site,
    path: str | None = None,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    *,
    context: ssl.SSLContext | None = None,
    deadline: float = DEADLINE,
) -> HttpResponse:
    """POST the body, or GET where there is none, `path` in the place of the site's own.

    Raises PortmapError where nobody answers within `deadline` seconds, Garbled for what is no HTTP or too long.
    `context`: whom to trust in place of the system's certificates.
    """
    until = time.monotonic() + deadline
    with _our_errors(site, until, deadline), _connected(site, until, context) as link:
        connection = HTTPConnection(site.host, site.port)
        connection.sock = link
        told = {"Host": site.authority, "User-Agent": "portmap", "Connection": "close", **(headers or {})}
        connection.request("GET" if body is None else "POST", path or site.path, body, told)
        with connection.getresponse() as response:
            data = _body(site, response, until)
            return HttpResponse(
                site, response.status, {name.lower(): text for name, text in response.getheaders()}, data
            )


def _body(site: Site, response: HTTPResponse, until: float) -> bytes:
    """All of the body: `read` with a number takes what was cut off for what was complete."""
    data = response.read(LIMIT + 1)
    if len(data) > LIMIT:
        raise Garbled(f"{site} answered with over {LIMIT} bytes: is that the right URL?")
    if time.monotonic() >= until:
        raise TimeoutError("the answer was cut off at the deadline")
    if response.length:
        raise IncompleteRead(data, response.length)
    return data


@contextmanager
def _connected(site: Site, until: float, context: ssl.SSLContext | None) -> Iterator[socket.socket]:
    """A connection that is cut at the deadline, whatever is going on then."""
    link = socket.create_connection((site.host, site.port), timeout=max(0.01, until - time.monotonic()))
    if site.scheme == "https":
        trust = context or ssl.create_default_context()
        link = trust.wrap_socket(link, server_hostname=site.host, do_handshake_on_connect=False)
    cut = threading.Timer(until - time.monotonic(), _cut, (link,))
    cut.daemon = True
    cut.start()
    try:
        if isinstance(link, ssl.SSLSocket):
            link.do_handshake()
        yield link
    finally:
        cut.cancel()
        link.close()


def _cut(link: socket.socket) -> None:
    with suppress(OSError):  # it is closed already
        socket.socket.shutdown(link, socket.SHUT_RDWR)  # not SSLSocket's, which says good-bye first and may block


@contextmanager
def _our_errors(site: Site, until: float, deadline: float) -> Iterator[None]:
    try:
        yield
    except (OSError, HTTPException, ValueError, OverflowError) as error:  # ValueError: strange numbers in headers
        if isinstance(error, TimeoutError) or time.monotonic() >= until:
            raise PortmapError(f"{site} did not answer within {deadline:g} s: is it running?") from error
        if isinstance(error, ssl.SSLCertVerificationError):
            raise PortmapError(f"{site} has a certificate that is not trusted: {error.verify_message}") from error
        if isinstance(error, OSError) and not isinstance(error, HTTPException):
            raise PortmapError(f"{site} cannot be reached: {error.strerror or error}: is it running?") from error
        raise Garbled(f"{site} answered what is no HTTP: is that the right URL?") from error
