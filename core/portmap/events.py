"""What the loop announces: one frozen value an event, named as in the JSON stream.

Law: an event is a fact that already holds. Consumers ignore events and fields that they do not know; fields are only
ever added. Where something went wrong, `reason` is for people and `error` the name of the class in `portmap.errors`,
for programs. `to_dict` gives the JSON shape: the event's name, then every field that has something to say.

What is announced of IPv6 pinholes: events of their own, for a pinhole is no mapping - nothing is translated.

Law: as in `portmap.events`. The external address is our own global one, the external port our own.
"""

from dataclasses import dataclass, fields
from ipaddress import IPv4Address, IPv6Address
from typing import ClassVar, Self
from typing import Protocol as Interface

from portmap.model import Address, Key, Mapping, Protocol, Scope, scope_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """The root of all events. `event` is the name in the JSON stream."""

    event: ClassVar[str]

    def to_dict(self) -> dict[str, object]:
        """The event as JSON-ready data: addresses as text, fields without a value left out."""
        shown: dict[str, object] = {"event": self.event}
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and value not in ("", ()):
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
    """The gateway gave its first good answer, or its first after having been lost.

    `ms`: how long it took to find it and to get that answer. `evidence`: what the backend based its choice on, one
    fact each - who answered and when, who did not and why.
    """

    event: ClassVar[str] = "gateway.found"
    ms: int | None = None
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayLost(GatewayEvent):
    """The gateway no longer answers, or was not found at all; everything is tried again with back-off.

    `retry_in`: seconds until the next try; the later ones come less and less often.
    """

    event: ClassVar[str] = "gateway.lost"
    retry_in: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayRebooted(GatewayEvent):
    """The gateway may have forgotten our mappings; all of them are asked for again at once."""

    event: ClassVar[str] = "gateway.rebooted"


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkChanged(Event):
    """Something changed on our own side (link, address, route, suspend); everything is asked for again at once."""

    event: ClassVar[str] = "network.changed"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalIPEvent(Event):
    """Something about the external address; `scope` says what it is worth to somebody outside."""

    external_ip: Address | None
    previous_ip: Address | None = None
    scope: Scope
    reason: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalIPChanged(ExternalIPEvent):
    """The external address was learnt or has changed; every mapping is asked for again at once."""

    event: ClassVar[str] = "external_ip.changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalIPFailed(ExternalIPEvent):
    """The gateway answers, but not with an address (WAN down, garbage). The last known one is kept."""

    event: ClassVar[str] = "external_ip.failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PortEvent(Event):
    """Something about one port of ours; (`protocol`, `internal_port`) identify it among its kind.

    `external_port` is the open one, or where the port is lost or removed the one that was; `lifetime` is the granted
    number of seconds (0 = permanent); `static` is true where nothing was sent: forwarded by hand, or no NAT at all.
    `follow`: the application is to listen on the external port.
    """

    protocol: Protocol
    internal_port: int
    external_port: int | None = None
    external_ip: Address | None = None
    scope: Scope | None = None
    lifetime: int | None = None
    name: str = ""
    static: bool | None = None
    follow: bool | None = None
    reason: str = ""
    error: str = ""

    @property
    def key(self) -> Key:
        """The identity of the port."""
        return self.protocol, self.internal_port

    @classmethod
    def of(cls, mapping: Mapping, *, reason: str = "", error: str = "") -> Self:
        """The event that says this of an open port."""
        return cls(
            protocol=mapping.protocol,
            internal_port=mapping.internal_port,
            external_port=mapping.external_port,
            external_ip=mapping.external_ip,
            scope=scope_of(mapping.external_ip),
            lifetime=mapping.lifetime,
            name=mapping.name,
            static=mapping.static or None,
            follow=mapping.follow or None,
            reason=reason,
            error=error,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingEvent(PortEvent):
    """Something about one mapping."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingAdded(MappingEvent):
    """The port is open."""

    event: ClassVar[str] = "mapping.added"


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingChanged(MappingEvent):
    """The port is open elsewhere now: another external port, or the same on another external address."""

    event: ClassVar[str] = "mapping.changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingRenewed(MappingEvent):
    """The lease was extended; nothing else changed."""

    event: ClassVar[str] = "mapping.renewed"


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingFailed(MappingEvent):
    """The gateway would not open or renew the port; `reason` says why. Announced once a reason, retried for ever."""

    event: ClassVar[str] = "mapping.failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingLost(MappingEvent):
    """The lease ran out before it could be renewed: the port is shut."""

    event: ClassVar[str] = "mapping.lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingRemoved(MappingEvent):
    """We are done with the port. With a `reason` the gateway did not confirm: it stays until the lease ends."""

    event: ClassVar[str] = "mapping.removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordChanged(Event):
    """The node's public record really changed: `seq`, address and ports, committed together.

    `enr` is the signed text where a publisher signs (EIP-778), else empty.
    """

    event: ClassVar[str] = "record.changed"
    seq: int
    ip: Address | None = None
    ip6: Address | None = None
    tcp: int | None = None
    tcp6: int | None = None
    udp: int | None = None
    udp6: int | None = None
    enr: str = ""


class Listener(Interface):
    """Who is told what the loop does; called in the loop's thread, so it must not block."""

    def on_event(self, event: Event) -> None:
        """Something happened."""

    def on_settled(self) -> None:
        """For now there is nothing more to do: what was told so far belongs together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PinholeEvent(PortEvent):
    """Something about one IPv6 pinhole: our own global address, let through the gateway's firewall at this port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PinholeAdded(PinholeEvent):
    """The port is open over IPv6."""

    event: ClassVar[str] = "pinhole.added"


@dataclass(frozen=True, slots=True, kw_only=True)
class PinholeChanged(PinholeEvent):
    """The port is open elsewhere now: our own address is another, or the port is."""

    event: ClassVar[str] = "pinhole.changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PinholeRenewed(PinholeEvent):
    """The lease was extended; nothing else changed."""

    event: ClassVar[str] = "pinhole.renewed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PinholeFailed(PinholeEvent):
    """The gateway would not let the port through; `reason` says why. Announced once a reason, retried for ever."""

    event: ClassVar[str] = "pinhole.failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PinholeLost(PinholeEvent):
    """The lease ran out before it could be renewed: the port is shut."""

    event: ClassVar[str] = "pinhole.lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class PinholeRemoved(PinholeEvent):
    """We are done with the port. With a `reason` the gateway did not confirm: it stays until the lease ends."""

    event: ClassVar[str] = "pinhole.removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublisherEvent(Event):
    """About one publisher. `publisher`: as it names itself."""

    publisher: str
    reason: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublisherOk(PublisherEvent):
    """The target has an open port of ours. `has`: what it has, for people (`56164`); announced once for each."""

    event: ClassVar[str] = "publisher.ok"
    has: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublisherFailed(PublisherEvent):
    """The state could not be published; `reason` says why. Announced once a reason, tried again until it works."""

    event: ClassVar[str] = "publisher.failed"
