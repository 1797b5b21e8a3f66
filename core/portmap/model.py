"""The shared values: kinds, protocols, requests, grants, mappings, scopes. Pure.

Ports are 1 to 65535 (0 only where "any" is said), lifetimes are whole seconds (0 = permanent).
"""

from dataclasses import dataclass
from enum import Enum, StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import NamedTuple, Self, TypeAlias

from portmap.errors import SpecError

Address: TypeAlias = IPv4Address | IPv6Address

MAX_PORT = 65535
MAX_LIFETIME = 0xFFFFFFFF  # 32 bits on the wire: RFC 6886 §3.3, RFC 6887 §7.1, UPnP ui4
CALL_DEADLINE = 15.0  # seconds; above every backend's own time limits, so that theirs, which say more, come first
DEFAULT_LIFETIME = 600  # go-ethereum's portMapDuration: p2p/server_nat.go


class Kind(Enum):
    """How a backend wants to be used; declared as data on its class, read by the dispatcher."""

    NONE = "none"
    """No NAT is spoken to: requests are consumed."""
    STATIC = "static"
    """The external address is known beforehand and ports are forwarded by hand: no loop."""
    LOOP = "loop"
    """A gateway that grants leases: the core loop asks, renews and follows."""


class Protocol(StrEnum):
    """The transport protocol of a mapping, spelt as UPnP and go-ethereum spell it."""

    TCP = "TCP"
    UDP = "UDP"


class Scope(StrEnum):
    """Whether an external address can be reached from outside."""

    PUBLIC = "public"
    PRIVATE = "private"
    CGNAT = "cgnat"
    RESERVED = "reserved"
    UNKNOWN = "unknown"


_CGNAT = IPv4Network("100.64.0.0/10")  # RFC 6598 §7
_PRIVATE_4 = tuple(IPv4Network(n) for n in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))  # RFC 1918 §3
_PRIVATE_6 = IPv6Network("fc00::/7")  # RFC 4193 §3.1


_MEANING = {
    Scope.PUBLIC: "",
    Scope.PRIVATE: "double NAT: another router is in front of this gateway, so a mapping here is not enough",
    Scope.CGNAT: "double NAT: the provider shares one address among many (CGNAT), so a mapping here cannot be reached",
    Scope.RESERVED: "a reserved address: it cannot be reached from outside",
    Scope.UNKNOWN: "no address is known yet",
}


def meaning_of(scope: Scope) -> str:
    """What a scope means for a host that wants to be reached, in words; empty for a public address."""
    return _MEANING[scope]


def scope_of(address: Address | None) -> Scope:
    """Classify an external address; None (not learnt yet) is UNKNOWN."""
    match address:
        case None:
            return Scope.UNKNOWN
        case IPv4Address() if address in _CGNAT:
            return Scope.CGNAT
        case IPv4Address() if any(address in network for network in _PRIVATE_4):
            return Scope.PRIVATE
        case IPv6Address() if address.ipv4_mapped:
            return scope_of(address.ipv4_mapped)  # Pythons before 3.13 take every such address for reserved
        case IPv6Address() if address in _PRIVATE_6:
            return Scope.PRIVATE
    return Scope.PUBLIC if address.is_global and not address.is_multicast else Scope.RESERVED


class Key(NamedTuple):
    """What identifies a mapping for its whole life. `host`: the one that it leads to, empty for this host."""

    protocol: Protocol
    internal_port: int
    host: str = ""

    def __str__(self) -> str:
        """The mapping for people, as in "TCP 8443" or "TCP 8443@nas.lan"."""
        return f"{self.protocol} {self.internal_port}{at_host(self.host)}"

    @classmethod
    def to_client(cls, protocol: Protocol, internal_port: int, client: Address | None) -> Self:
        """The key as backends have it: the host is an address, None for this host."""
        return cls(protocol, internal_port, str(client or ""))

    @property
    def typed(self) -> str:
        """The mapping as the user types it, as in "8443/tcp" or "8443@nas.lan/tcp"."""
        return f"{self.internal_port}{at_host(self.host)}/{self.protocol.lower()}"


def at_host(host: str) -> str:
    """The host as it is written behind a port, as in "@nas.lan"; nothing for this host."""
    return f"@{host}" if host else ""


@dataclass(frozen=True, slots=True)
class PortRequest:
    """One port that shall be reachable from outside.

    `external_port` 0 means: the gateway chooses, preferably the internal port. `lifetime` is the number of seconds
    to ask for. `paired`: the other protocol's request for the same internal port wants the same external port.
    `follow`: the application listens on whatever external port is granted; the internal port 0 then means that the
    gateway needs none (VPN gateways). `host`: the neighbour that the port leads to, its IPv4 address or its name; empty
    for this host. Raises SpecError for a port or a lifetime that cannot be.
    """

    protocol: Protocol
    internal_port: int
    external_port: int = 0
    name: str = ""
    lifetime: int = DEFAULT_LIFETIME
    paired: bool = False
    follow: bool = False
    host: str = ""

    def __post_init__(self) -> None:
        if self.host and self.follow:
            raise SpecError(f"an application on {self.host} cannot be told which port to follow: name its port")
        if not (0 if self.follow else 1) <= self.internal_port <= MAX_PORT:
            raise SpecError(f"internal port {self.internal_port} is out of range: use 1 to {MAX_PORT}")
        if not 0 <= self.external_port <= MAX_PORT:
            raise SpecError(f"external port {self.external_port} is out of range: use 1 to {MAX_PORT}")
        if not 1 <= self.lifetime <= MAX_LIFETIME:
            raise SpecError(f"lifetime {self.lifetime} is out of range: use 1 to {MAX_LIFETIME} seconds")

    @property
    def key(self) -> Key:
        """The identity of the mapping that answers this request."""
        return Key(self.protocol, self.internal_port, self.host)

    @property
    def leads_here(self) -> bool:
        """Whether it leads to a port of this host, as a pinhole does: to no neighbour, to no port of a VPN."""
        return not (self.host or (self.follow and is_nominal(self.internal_port)))

    @property
    def suggested_port(self) -> int:
        """The external port to suggest to a gateway (RFC 6886 §3.3): the one asked for, else the internal one."""
        return self.external_port or self.internal_port


def is_nominal(internal_port: int) -> bool:
    """Whether, with `follow`, this internal port stands for none: `natpmpc -a 1 0 tcp 60`, says ProtonVPN."""
    return internal_port <= 1


@dataclass(frozen=True, slots=True)
class Grant:
    """What a gateway answered: the external port it opened and for how many seconds (0 = permanent).

    `external_ip` only where the protocol states it with the grant. `token` is whatever the backend wants to be given
    with each later call for this mapping, also after a restart (PCP's nonce); core keeps it and never reads it.
    `static`: nothing was sent, the port is reachable as it stands. `note`: what people should know about this grant.
    """

    external_port: int
    lifetime: int
    external_ip: Address | None = None
    token: str = ""
    static: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """One row of a gateway's own table, made by any client. `lifetime`: seconds left, 0 = permanent.

    `ours`: made by this host's portmap, by its mark. `client` and `description` are the gateway's words: text from
    the network.
    """

    protocol: Protocol
    external_port: int
    client: str
    internal_port: int
    lifetime: int
    description: str = ""
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Mapping:
    """One open port as its users see it. `static`: nothing was sent, it is taken on trust or needs no NAT.

    `follow`: the application is to listen on the external port. `host`: the neighbour that it leads to, empty for this
    host.
    """

    protocol: Protocol
    internal_port: int
    external_port: int
    lifetime: int
    external_ip: Address | None = None
    name: str = ""
    static: bool = False
    follow: bool = False
    host: str = ""

    @property
    def key(self) -> Key:
        """The identity of the mapping: that of the request it answers."""
        return Key(self.protocol, self.internal_port, self.host)
