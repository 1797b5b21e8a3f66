"""Endpoints: where this host can be reached now, in one immutable value. A publisher makes it true elsewhere. Pure.

Rules:
- It changes by `after` only, by one event of `portmap.events` at a time.
- An event that changes nothing, a renewal or a failure, gives back the very same value.
- A port that is listed is open, and it is never port 0.
"""

from dataclasses import dataclass, replace
from typing import TypeAlias

from portmap.events import (
    Event,
    ExternalIPChanged,
    GatewayFound,
    PortAdded,
    PortChanged,
    PortEvent,
    PortLost,
    PortRemoved,
    PortRenewed,
    RecordChanged,
)
from portmap.model import Address, Protocol, Scope, scope_of

JSON_VERSION = 1  # as in the JSON stream: fields are only ever added

PortKey: TypeAlias = tuple[bool, Protocol, int, str]
"""What identifies an open port for its whole life: whether it is a pinhole, protocol, internal port, host."""


@dataclass(frozen=True, slots=True)
class OpenPort:
    """One port at which we can be reached: a mapping, or an IPv6 `pinhole`.

    `follow`: the application is to listen on the external port. `static`: nothing was sent to open it. `host`: the
    neighbour that is reached there, empty for this host.
    """

    protocol: Protocol
    internal_port: int
    external_port: int
    external_ip: Address | None = None
    name: str = ""
    follow: bool = False
    static: bool = False
    pinhole: bool = False
    host: str = ""

    @property
    def key(self) -> PortKey:
        """The identity of the port."""
        return self.pinhole, self.protocol, self.internal_port, self.host

    @property
    def scope(self) -> Scope:
        """Whether its address can be reached from outside."""
        return scope_of(self.external_ip)

    def to_dict(self) -> dict[str, object]:
        """The port as JSON-ready data; what has nothing to say is left out."""
        shown = {
            "protocol": self.protocol.value,
            "external_ip": self.external_ip and str(self.external_ip),
            "external_port": self.external_port,
            "internal_port": self.internal_port,
            "host": self.host,
            "scope": self.scope.value,
            "name": self.name,
            "follow": self.follow,
            "static": self.static,
            "pinhole": self.pinhole,
        }
        return {key: value for key, value in shown.items() if value}


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The state that is wanted. `ports` in the order in which they came; `gateway` as its backend last named it.

    `external_ip` is the gateway's own word, of whatever scope; each port has the address that it is open at.
    """

    ports: tuple[OpenPort, ...] = ()
    external_ip: Address | None = None
    gateway: str = ""
    record: RecordChanged | None = None

    @property
    def mappings(self) -> tuple[OpenPort, ...]:
        """The ports that the gateway forwards."""
        return tuple(port for port in self.ports if not port.pinhole)

    @property
    def pinholes(self) -> tuple[OpenPort, ...]:
        """The ports that the gateway's IPv6 firewall lets through."""
        return tuple(port for port in self.ports if port.pinhole)

    @property
    def scope(self) -> Scope:
        """Whether the external address can be reached from outside."""
        return scope_of(self.external_ip)

    def after(self, event: Event) -> "Endpoints":
        """The state once this has happened, too."""
        match event:
            case PortAdded() | PortChanged() | PortRenewed():
                state = self._with(event)
            case PortLost() | PortRemoved():
                state = self._without(event)
            case ExternalIPChanged() if event.external_ip != self.external_ip:
                state = replace(self, external_ip=event.external_ip)
            case GatewayFound() if event.gateway != self.gateway:
                state = replace(self, gateway=event.gateway)
            case RecordChanged() if event != self.record:
                state = replace(self, record=event)
            case _:
                state = self
        return state

    def to_dict(self) -> dict[str, object]:
        """The state as JSON-ready data: the same keys always, so that a program need not ask."""
        return {
            "v": JSON_VERSION,
            "gateway": self.gateway,
            "external_ip": self.external_ip and str(self.external_ip),
            "scope": self.scope.value,
            "ports": [port.to_dict() for port in self.ports],
            "record": self.record and self.record.to_dict(),
        }

    def _with(self, event: PortEvent) -> "Endpoints":
        port = _port(event)
        if port is None:
            return self._without(event)
        if port in self.ports:
            return self
        known = any(other.key == port.key for other in self.ports)
        others = tuple(port if other.key == port.key else other for other in self.ports)
        return replace(self, ports=others if known else (*others, port))

    def _without(self, event: PortEvent) -> "Endpoints":
        key = (event.kind == "pinhole", *event.key)
        left = tuple(port for port in self.ports if port.key != key)
        return self if len(left) == len(self.ports) else replace(self, ports=left)


def _port(event: PortEvent) -> OpenPort | None:
    """The port that an event says is open; None where it names no port."""
    if not event.external_port:
        return None
    return OpenPort(
        event.protocol,
        event.internal_port,
        event.external_port,
        event.external_ip,
        event.name,
        follow=bool(event.follow),
        static=bool(event.static),
        pinhole=event.kind == "pinhole",
        host=event.host,
    )
