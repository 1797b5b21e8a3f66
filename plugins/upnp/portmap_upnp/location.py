"""Location: where a device says it can be reached, as a vetted http URL, IPv4 and IPv6.

Pure. Rules:
- plain http to a literal address, never a name;
- a search answer may choose a port and a path of its own sender, never another host; so may a control URL;
- the sender itself must be of this network: private (IPv4), on our link, unique local, or with the first 64 bits of our
  own address (IPv6; RFC 4291 §2.5.4: a subnet has them in common);
- an IPv6 zone is never taken from the network: it is the one that the answer came in by.
"""

import socket
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from portmap.errors import Garbled
from portmap.model import Address, Scope, scope_of

MAX_URL = 1024
HTTP_PORT = 80
_SUBNET = 64  # bits


@dataclass(frozen=True, slots=True)
class Location:
    """A vetted http URL. `path` includes the query and starts with a slash; an IPv6 host has a zone if it needs one.

    `interface`: the one of this host by which it is reached; None: the routing table decides. `alias`: what a LOCATION
    names in place of the host; only to be compared with what a description names.
    """

    host: Address
    port: int
    path: str
    interface: str | None = None
    alias: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"http://{_bracketed(self.host)}:{self.port}{self.path}"

    @property
    def origin(self) -> str:
        """The URL up to the port, for people: a path that the user wrote may hold a secret."""
        return f"http://{_bracketed(self.host)}:{self.port}"

    @property
    def url(self) -> str:
        """The URL without a zone, which has no meaning on another host."""
        return f"http://{_bracketed(without_zone(self.host))}:{self.port}{self.path}"

    @property
    def has_query(self) -> bool:
        """Whether the path carries parameters. A description needs none."""
        return "?" in self.path

    @property
    def to_dial(self) -> tuple[Any, ...]:
        """The address that a socket connects to. Raises OSError for a zone that is gone."""
        if isinstance(self.host, IPv4Address):
            return str(self.host), self.port
        numbers = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV  # nothing is looked up
        return socket.getaddrinfo(str(self.host), self.port, socket.AF_INET6, socket.SOCK_STREAM, flags=numbers)[0][4]


def without_zone(host: Address) -> Address:
    """The address without its zone."""
    return IPv6Address(int(host)) if isinstance(host, IPv6Address) else host


def parse_url(url: str, interface: str | None = None) -> Location:
    """Vet a URL that the user has given, of either family, to be reached by the interface.

    Raises Garbled, with the rule that it breaks; the URL, which may have a password in it, is not repeated.
    """
    try:
        parts = _split(url)
        host = _literal(parts)
        if isinstance(host, IPv4Address) and not _is_local(host):
            raise ValueError(f"{host} is not an address of a private network")  # noqa: TRY301  # one way for all faults
        return Location(host, *_port_and_path(parts), interface)
    except ValueError as error:
        raise Garbled(f"this is no URL of a gateway: {error}") from None


def parse_location(
    url: str, sender: Address, ours: IPv6Address | None = None, interface: str | None = None
) -> Location:
    """The LOCATION in a message from `sender`, at the sender: its port and path, whatever host it names.

    Real routers name another address of their own, a loopback address or "(null)". `ours` is our own IPv6 address,
    `interface` the one that the message came by.
    Raises Garbled for what is no http URL, and for a sender outside this network.
    """
    if not _is_local(sender, ours):
        raise Garbled(f"{sender} is not an address of this network: not followed")
    try:
        parts = _split(url)
        return Location(sender, *_port_and_path(parts), interface, parts.hostname or "")
    except ValueError as error:
        raise Garbled(f"{url[:80]!r} is no URL of a gateway: {error}") from error


def names_host(url: str, host: Address) -> bool:
    """Whether the URL names this host; False for what is no URL."""
    try:
        return ip_address((_split(url).hostname or "").partition("%")[0]) == without_zone(host)
    except ValueError:
        return False


def is_at(url: str, location: Location) -> bool:
    """Whether the URL names the location's host, or the alias that the host gives to itself."""
    if names_host(url, location.host):
        return True
    try:
        return location.alias != "" and _split(url).hostname == location.alias
    except ValueError:
        return False


def resolve_control(control: str, base: str, location: Location) -> Location:
    """The absolute form of a control URL that the description at `location` gives, against its URLBase if it has one.

    Two leading slashes are a router's slip for one. Raises Garbled unless it stays on the description's host, which is
    asked also where the URL names its alias.
    """
    url = _absolute(control, base or location.url, location.host)
    if not is_at(url, location):
        raise Garbled(f"{location.host} points to another host for control, {url[:80]!r}: not followed")
    try:
        return Location(location.host, *_port_and_path(_split(url)), location.interface)
    except ValueError as error:
        raise Garbled(f"{url[:80]!r} is no URL of a gateway: {error}") from error


def _split(url: str) -> SplitResult:
    """The parts of a plain http URL. Raises ValueError, which does not repeat it."""
    if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("it is too long, or has spaces or unprintable characters")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError("its brackets hold no IPv6 address") from None
    if parts.scheme != "http":
        raise ValueError("it must start with http://")
    if not parts.netloc:
        raise ValueError("it has no host")
    if "@" in parts.netloc:
        raise ValueError("it has a user name in it")
    return parts


def _literal(parts: SplitResult) -> Address:
    """The host, an IP literal. Raises ValueError for a name."""
    try:
        return ip_address((parts.hostname or "").replace("%25", "%"))
    except ValueError:
        raise ValueError("its host is no IP address") from None


def _port_and_path(parts: SplitResult) -> tuple[int, str]:
    """The port, and the path with the query. Raises ValueError for a port that cannot be."""
    try:
        port = HTTP_PORT if parts.port is None else parts.port
    except ValueError:
        raise ValueError("its port is not valid") from None
    if port == 0:
        raise ValueError("port 0 is none")
    return port, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _absolute(control: str, base: str, host: Address) -> str:
    """The control URL against a base; not vetted. Raises Garbled for what cannot be one."""
    path = "/" + control.lstrip("/") if control.startswith("//") else control
    if not path:
        raise Garbled(f"{host} gives an empty control URL")
    if len(path) > MAX_URL or len(base) > MAX_URL:  # before urljoin, which takes its time over long ones
        raise Garbled(f"{host} gives a control URL of over {MAX_URL} characters")
    try:
        return urljoin(base, path)
    except ValueError as error:  # on brackets
        raise Garbled(f"{control[:80]!r} is no control URL: {error}") from error


def _is_local(host: Address, ours: IPv6Address | None = None) -> bool:
    near = host.is_link_local or host.is_loopback or scope_of(without_zone(host)) is Scope.PRIVATE
    return near or (ours is not None and int(host) >> _SUBNET == int(ours) >> _SUBNET)


def _bracketed(host: Address) -> str:
    return f"[{host}]" if isinstance(host, IPv6Address) else str(host)
