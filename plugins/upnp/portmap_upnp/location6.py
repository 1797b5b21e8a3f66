"""Where a device says by IPv6 that it can be reached, and whether we go there; pure.

Law: as in `location`: plain http, a literal address, the very host that answered, and one of this network: on our
link, unique local, or with the first 64 bits of our own address (RFC 4291 §2.5.4: a subnet has them in common). A zone
is ours to give, never a stranger's: it is the one that the answer came in by.
"""

import socket
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv6Address
from typing import Any
from urllib.parse import SplitResult

from portmap.errors import Garbled
from portmap.model import Scope, scope_of
from portmap_upnp.location import absolute, parsed, port_and_path

_SUBNET = 64  # bits


@dataclass(frozen=True, slots=True)
class Location6:
    """A vetted http URL at an IPv6 host, which has its zone where it needs one."""

    host: IPv6Address
    port: int
    path: str

    def __str__(self) -> str:
        return f"http://[{self.host}]:{self.port}{self.path}"

    @property
    def url(self) -> str:
        """As others may read it: a zone means nothing to them."""
        return f"http://[{bare(self.host)}]:{self.port}{self.path}"

    @property
    def to_dial(self) -> tuple[Any, ...]:
        """Where a socket connects to. Raises OSError for a zone that is gone."""
        numbers = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV  # nothing is looked up
        return socket.getaddrinfo(str(self.host), self.port, socket.AF_INET6, socket.SOCK_STREAM, flags=numbers)[0][4]


def bare(host: IPv6Address) -> IPv6Address:
    """The address without its zone."""
    return IPv6Address(int(host))


def parse_url6(url: str) -> Location6:
    """A URL that the user has given, with a zone in it if it needs one. Raises Garbled."""
    return parsed(url, _anywhere)


def parse_location6(url: str, answered_by: IPv6Address, ours: IPv6Address) -> Location6:
    """Vet the LOCATION that came in an answer from `answered_by`, a host beside `ours`. Raises Garbled."""
    return parsed(url, partial(_vet, answered_by=answered_by, ours=ours))


def resolve_control6(control: str, base: str, location: Location6) -> Location6:
    """The absolute form of a control URL that the description at `location` gives, as `location.resolve_control`."""
    host = location.host
    found = parsed(absolute(control, base or location.url, host), partial(_same, host=host))
    return Location6(host, found.port, found.path)


def _anywhere(parts: SplitResult) -> Location6:
    if not parts.netloc.startswith("["):
        raise ValueError("its host is no IPv6 address in brackets")
    return Location6(IPv6Address((parts.hostname or "").replace("%25", "%")), *port_and_path(parts))


def _vet(parts: SplitResult, answered_by: IPv6Address, ours: IPv6Address) -> Location6:
    if not _is_near(answered_by, ours):
        raise ValueError(f"{answered_by} is not an address of this network")
    return _same(parts, answered_by)


def _same(parts: SplitResult, host: IPv6Address) -> Location6:
    told = _anywhere(parts)
    if bare(told.host) != bare(host):
        raise Garbled(f"{host} points to another host, {bare(told.host)}: not followed")
    return Location6(host, told.port, told.path)


def _is_near(host: IPv6Address, ours: IPv6Address) -> bool:
    same_subnet = int(host) >> _SUBNET == int(ours) >> _SUBNET
    return host.is_link_local or host.is_loopback or scope_of(bare(host)) is Scope.PRIVATE or same_subnet
