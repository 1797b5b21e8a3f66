"""Where a device says it can be reached, and whether we go there; pure.

Law: an SSDP answer chooses what we fetch, so it may only choose its own sender: plain http, a literal IPv4 address of
this network, the very host that answered. A control URL may only choose that same host again.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address
from urllib.parse import SplitResult, urljoin, urlsplit

from portmap.errors import Garbled
from portmap.model import Scope, scope_of

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


def parse_url(url: str) -> Location:
    """Vet a URL by itself. Raises Garbled, with the rule that it breaks."""
    if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise Garbled(f"{url[:80]!r} is no URL: too long, or with spaces or unprintable characters")
    try:
        return _vet(urlsplit(url))
    except ValueError as error:
        raise Garbled(f"{url[:80]!r} is no URL of a gateway: {error}") from error


def _vet(parts: SplitResult) -> Location:
    if parts.scheme != "http":
        raise ValueError("it must start with http://")
    if "@" in parts.netloc:
        raise ValueError("it has a user name in it")
    host = IPv4Address(parts.hostname or "")
    if not (scope_of(host) is Scope.PRIVATE or host.is_link_local or host.is_loopback):
        raise ValueError(f"{host} is not an address of a private network")
    port = HTTP_PORT if parts.port is None else parts.port
    if port == 0:
        raise ValueError("port 0 is none")
    return Location(host, port, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))


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
    path = "/" + control.lstrip("/") if control.startswith("//") else control
    if not path:
        raise Garbled(f"{location.host} gives an empty control URL")
    if len(path) > MAX_URL or len(base) > MAX_URL:  # before urljoin, which takes its time over long ones
        raise Garbled(f"{location.host} gives a control URL of over {MAX_URL} characters")
    try:
        return parse_location(urljoin(base or str(location), path), location.host)
    except ValueError as error:  # urljoin, on brackets
        raise Garbled(f"{control[:80]!r} is no control URL: {error}") from error
