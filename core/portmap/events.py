"""Every event: gateway, address, port, record, publisher. One frozen value each, named as in the JSON stream.

Rules:
- An event is a fact that already holds.
- Consumers ignore events and fields that they do not know; fields are only ever added.
- A class that adds no field has `__slots__ = ()` and no @dataclass, which takes 0.5 ms each at import.
- Where something went wrong, `reason` is for people, and `error` for programs: the class's name in `portmap.errors`.
"""

from dataclasses import dataclass, fields
from ipaddress import IPv4Address, IPv6Address
from typing import ClassVar, Literal, Self, TypeAlias
from typing import Protocol as Interface

from portmap.model import Address, Key, Mapping, Protocol, Scope, scope_of

PortKind: TypeAlias = Literal["mapping", "pinhole"]
"""An IPv4 mapping of the gateway, or a pinhole in its IPv6 firewall."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """The root of all events."""

    _event: ClassVar[str]

    @property
    def event(self) -> str:
        """The name in the JSON stream."""
        return self._event

    def to_dict(self) -> dict[str, object]:
        """The event as JSON-ready data: its name, then each field that has a value; addresses as text."""
        shown: dict[str, object] = {"event": self.event}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name != "kind" and value is not None and value not in ("", ()):
                shown[field.name] = str(value) if isinstance(value, IPv4Address | IPv6Address) else value
        return shown


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayEvent(Event):
    """Something about the gateway. `gateway` is how the backend names it, `reason` why we say so."""

    gateway: str
    reason: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayFound(GatewayEvent):
    """The gateway gave its first good answer, or its first after having been lost, within `ms` milliseconds.

    `evidence`: what the backend based its choice on, one fact each - who answered and when, who did not and why.
    """

    _event: ClassVar[str] = "gateway.found"
    ms: int | None = None
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayLost(GatewayEvent):
    """The gateway no longer answers, or was not found at all: tried again in `retry_in` seconds, then less often."""

    _event: ClassVar[str] = "gateway.lost"
    retry_in: float | None = None


class GatewayRebooted(GatewayEvent):
    """The gateway may have forgotten our mappings; all of them are asked for again at once."""

    __slots__ = ()
    _event: ClassVar[str] = "gateway.rebooted"


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkChanged(Event):
    """Something changed on our own side (link, address, route, suspend); everything is asked for again at once."""

    _event: ClassVar[str] = "network.changed"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalIPEvent(Event):
    """Something about the external address; `scope` says whether it can be reached from outside."""

    external_ip: Address | None
    previous_ip: Address | None = None
    scope: Scope
    reason: str = ""
    error: str = ""


class ExternalIPChanged(ExternalIPEvent):
    """The external address was learnt or has changed; every mapping is asked for again at once."""

    __slots__ = ()
    _event: ClassVar[str] = "external_ip.changed"


class ExternalIPFailed(ExternalIPEvent):
    """The gateway answers, but not with an address (WAN down, garbage). The last known one is kept."""

    __slots__ = ()
    _event: ClassVar[str] = "external_ip.failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PortEvent(Event):
    """Something about one port of ours. `kind`, `protocol`, `internal_port` and `host` identify it.

    `kind` is "mapping", or "pinhole" for a port let through the gateway's IPv6 firewall: then the external address is
    our own global one. `external_port` is the open one, or where the port is lost or removed the one that was;
    `lifetime` is the granted number of seconds (0 = permanent); `static` is true where nothing was sent: forwarded by
    hand, or no NAT at all. `follow`: the application is to listen on the external port. `host`: the neighbour that the
    port leads to; empty for this host.
    """

    kind: PortKind = "mapping"
    protocol: Protocol
    internal_port: int
    external_port: int | None = None
    external_ip: Address | None = None
    scope: Scope | None = None
    lifetime: int | None = None
    name: str = ""
    static: bool | None = None
    follow: bool | None = None
    host: str = ""
    reason: str = ""
    error: str = ""

    @property
    def event(self) -> str:
        """The name in the JSON stream, as in `mapping.added`."""
        return f"{self.kind}.{self._event}"

    @property
    def key(self) -> Key:
        """The identity of the port among its kind."""
        return Key(self.protocol, self.internal_port, self.host)

    @classmethod
    def of(cls, mapping: Mapping, *, kind: PortKind = "mapping", reason: str = "", error: str = "") -> Self:
        """The event that says this of an open port."""
        return cls(
            kind=kind,
            protocol=mapping.protocol,
            internal_port=mapping.internal_port,
            external_port=mapping.external_port,
            external_ip=mapping.external_ip,
            scope=scope_of(mapping.external_ip),
            lifetime=mapping.lifetime,
            name=mapping.name,
            static=mapping.static or None,
            follow=mapping.follow or None,
            host=mapping.host,
            reason=reason,
            error=error,
        )


class PortAdded(PortEvent):
    """The port is open."""

    __slots__ = ()
    _event: ClassVar[str] = "added"


class PortChanged(PortEvent):
    """The port is open elsewhere now: another external port, or the same on another external address."""

    __slots__ = ()
    _event: ClassVar[str] = "changed"


class PortRenewed(PortEvent):
    """The lease was extended; nothing else changed."""

    __slots__ = ()
    _event: ClassVar[str] = "renewed"


class PortFailed(PortEvent):
    """The gateway would not open or renew the port; `reason` says why. Told once per kind; tried again for ever."""

    __slots__ = ()
    _event: ClassVar[str] = "failed"


class PortLost(PortEvent):
    """The lease ran out before it could be renewed, or the gateway no longer holds the mapping: the port is shut."""

    __slots__ = ()
    _event: ClassVar[str] = "lost"


class PortRemoved(PortEvent):
    """We are done with the port. With a `reason` the gateway did not confirm: it stays until the lease ends."""

    __slots__ = ()
    _event: ClassVar[str] = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordChanged(Event):
    """The node's public record really changed: `seq`, address and ports, committed together.

    `enr` is the signed text where a publisher signs (EIP-778), else empty.
    """

    _event: ClassVar[str] = "record.changed"
    seq: int
    ip: Address | None = None
    ip6: Address | None = None
    tcp: int | None = None
    tcp6: int | None = None
    udp: int | None = None
    udp6: int | None = None
    enr: str = ""


class Listener(Interface):
    """Is told what the loop does. Called in the loop's thread, so it must not block."""

    def on_event(self, event: Event) -> None:
        """Something happened."""

    def on_settled(self) -> None:
        """What was told so far belongs together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofEvent(Event):
    """A proof from outside of one mapping. `how`: what proved it; `reason`: why it is not reached, what is done."""

    protocol: Protocol
    internal_port: int
    external_port: int
    external_ip: Address | None = None
    name: str = ""
    host: str = ""
    how: str = ""
    reason: str = ""

    @classmethod
    def of(cls, mapping: Mapping, *, how: str = "", reason: str = "") -> Self:
        """The event about this mapping."""
        return cls(
            protocol=mapping.protocol,
            internal_port=mapping.internal_port,
            external_port=mapping.external_port,
            external_ip=mapping.external_ip,
            name=mapping.name,
            host=mapping.host,
            how=how,
            reason=reason,
        )


class MappingReachable(ProofEvent):
    """A responder outside reached the port: for the first time, or the first time after it could not."""

    __slots__ = ()
    _event: ClassVar[str] = "mapping.reachable"


class MappingUnreachable(ProofEvent):
    """A responder outside could not reach the port, though the gateway holds the mapping."""

    __slots__ = ()
    _event: ClassVar[str] = "mapping.unreachable"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublisherEvent(Event):
    """About one publisher. `publisher`: as it names itself."""

    publisher: str
    reason: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublisherOk(PublisherEvent):
    """The target has an open port of ours. `has`: what it has, for people (`56164`); announced once for each."""

    _event: ClassVar[str] = "publisher.ok"
    has: str = ""


class PublisherFailed(PublisherEvent):
    """The state could not be published; `reason` says why. Announced once a reason, tried again until it works."""

    __slots__ = ()
    _event: ClassVar[str] = "publisher.failed"
