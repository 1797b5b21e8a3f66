"""Where a device says it can be reached, and whether we go there; pure.

Law: an SSDP answer chooses what we fetch, so it may only choose its own sender: plain http, a literal IPv4 address of
this network, the very host that answered. A control URL may only choose that same host again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import TypeVar
from urllib.parse import SplitResult, urljoin, urlsplit

from portmap.errors import Garbled
from portmap.model import Address, Scope, scope_of

L = TypeVar("L")

MAX_URL = 1024
HTTP_PORT = 80


@dataclass(frozen=True, slots=True)
class Location:
    """A vetted http URL. `path` includes the query and starts with a slash."""

    host: IPv4Address
    port: int
    path: str

    def __str__(self) -> str:
        return f"http://{self.host}:{self.port}{self.path}"

    @property
    def to_dial(self) -> tuple[str, int]:
        """Where a socket connects to."""
        return str(self.host), self.port


def parse_url(url: str) -> Location:
    """Vet a URL by itself. Raises Garbled, with the rule that it breaks."""
    return parsed(url, _vet)


def parsed(url: str, vet: Callable[[SplitResult], L]) -> L:
    """What `vet` makes of the parts of a plain http URL. Raises Garbled, also for the ValueErrors of `vet`."""
    if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise Garbled(f"{url[:80]!r} is no URL: too long, or with spaces or unprintable characters")
    try:
        parts = urlsplit(url)
        if parts.scheme != "http":
            raise ValueError("it must start with http://")  # noqa: TRY301  # all that is wrong with it takes one way
        if "@" in parts.netloc:
            raise ValueError("it has a user name in it")  # noqa: TRY301
        return vet(parts)
    except ValueError as error:
        raise Garbled(f"{url[:80]!r} is no URL of a gateway: {error}") from error


def _vet(parts: SplitResult) -> Location:
    host = IPv4Address(parts.hostname or "")
    if not (scope_of(host) is Scope.PRIVATE or host.is_link_local or host.is_loopback):
        raise ValueError(f"{host} is not an address of a private network")
    return Location(host, *port_and_path(parts))


def port_and_path(parts: SplitResult) -> tuple[int, str]:
    """The port, and the path with the query. Raises ValueError for a port that cannot be."""
    port = HTTP_PORT if parts.port is None else parts.port
    if port == 0:
        raise ValueError("port 0 is none")
    return port, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def parse_location(url: str, answered_by: IPv4Address) -> Location:
    """Vet the LOCATION that came in an answer from `answered_by`. Raises Garbled."""
    location = parse_url(url)
    if location.host != answered_by:
        raise Garbled(f"{answered_by} points to another host, {location.host}: not followed")
    return location


def resolve_control(control: str, base: str, location: Location) -> Location:
    """The absolute form of a control URL that the description at `location` gives, against its URLBase if it has one.

    Raises Garbled unless it stays on the description's host. Two leading slashes are a router's slip for one.
    """
    return parse_location(absolute(control, base or str(location), location.host), location.host)


def absolute(control: str, base: str, host: Address) -> str:
    """The control URL of a host against a base; not vetted. Raises Garbled for what cannot be one."""
    path = "/" + control.lstrip("/") if control.startswith("//") else control
    if not path:
        raise Garbled(f"{host} gives an empty control URL")
    if len(path) > MAX_URL or len(base) > MAX_URL:  # before urljoin, which takes its time over long ones
        raise Garbled(f"{host} gives a control URL of over {MAX_URL} characters")
    try:
        return urljoin(base, path)
    except ValueError as error:  # on brackets
        raise Garbled(f"{control[:80]!r} is no control URL: {error}") from error
