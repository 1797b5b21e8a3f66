"""The numbers that the metrics endpoint serves: the sum of all events. Pure, bounded.

Time is an argument, in seconds of any one clock. Rows are made by the ports that were asked for, the instances and the
names of our own errors; nothing from the network makes a new row.
"""

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple

from portmap import errors
from portmap.errors import PortmapError
from portmap.events import (
    Event,
    ExternalIPChanged,
    ExternalIPEvent,
    GatewayEvent,
    GatewayFound,
    GatewayLost,
    MappingReachable,
    PortEvent,
    ProofEvent,
)
from portmap.model import Address, Key, Scope

MAPPING, PINHOLE, GATEWAY, ADDRESS = "mapping", "pinhole", "gateway", "address"
KINDS = (MAPPING, PINHOLE)
BUCKETS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 3600.0, inf)  # seconds
_ERRORS = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, PortmapError)}
_OTHER = "other"


class PortLabels(NamedTuple):
    """Which port: the instance, `mapping` or `pinhole`, and the key."""

    instance: str
    kind: str
    key: Key


class SeriesLabels(NamedTuple):
    """Which counter: the instance and `mapping`, `pinhole`, `gateway` or `address`."""

    instance: str
    kind: str


@dataclass(frozen=True, slots=True)
class OpenLease:
    """An open port: until when (`inf`: permanent), and the user's name for it."""

    until: float
    name: str


@dataclass(slots=True)
class Recoveries:
    """How long ports were in trouble before they were well again: their number by bucket, and seconds in all."""

    counts: list[int] = field(default_factory=lambda: [0] * len(BUCKETS))
    seconds: float = 0.0

    def apply(self, seconds: float) -> None:
        """One more."""
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.seconds += seconds


class MetricTotals:
    """The sum."""

    def __init__(self) -> None:
        self.leases: dict[PortLabels, OpenLease] = {}
        self.reachable: dict[PortLabels, bool] = {}
        self.addresses: dict[str, tuple[Address, Scope]] = {}
        self.gateways: dict[str, str] = {}
        self.renewals: Counter[SeriesLabels] = Counter()
        self.failures: Counter[tuple[SeriesLabels, str]] = Counter()
        self.recoveries: dict[SeriesLabels, Recoveries] = {}
        self._trouble: dict[PortLabels, float] = {}

    def expect(self, instance: str) -> None:
        """An instance without events yet: its counters are 0."""
        for kind in KINDS:
            self.recoveries.setdefault(SeriesLabels(instance, kind), Recoveries())
            self.renewals[SeriesLabels(instance, kind)] += 0

    def apply(self, instance: str, event: Event, now: float) -> None:
        """Add one event."""
        self.expect(instance)
        match event:
            case PortEvent():
                kind, _, what = event.event.partition(".")
                self._apply_port_event(PortLabels(instance, kind, event.key), what, event, now)
            case ProofEvent():
                key = Key(event.protocol, event.internal_port, event.host)
                self.reachable[PortLabels(instance, MAPPING, key)] = isinstance(event, MappingReachable)
            case GatewayFound():
                self.gateways[instance] = event.gateway
            case GatewayLost():
                self.gateways.pop(instance, None)
                self._failed(SeriesLabels(instance, GATEWAY), event)
            case ExternalIPChanged() if event.external_ip is not None:
                self.addresses[instance] = event.external_ip, event.scope
            case ExternalIPEvent() if event.error:
                self._failed(SeriesLabels(instance, ADDRESS), event)

    def forget(self, instance: str) -> None:
        """The instance has ended: nothing of it is open. What was counted stays counted."""
        self.leases = {port: lease for port, lease in self.leases.items() if port.instance != instance}
        self._trouble = {port: since for port, since in self._trouble.items() if port.instance != instance}
        self.reachable = {port: it for port, it in self.reachable.items() if port.instance != instance}
        self.addresses.pop(instance, None)
        self.gateways.pop(instance, None)

    def _apply_port_event(self, port: PortLabels, what: str, event: PortEvent, now: float) -> None:
        match what:
            case "added" | "changed" | "renewed":
                self.leases[port] = OpenLease(now + event.lifetime if event.lifetime else inf, event.name)
                self.renewals[SeriesLabels(port.instance, port.kind)] += what == "renewed"
                if port in self._trouble:
                    self.recoveries[SeriesLabels(port.instance, port.kind)].apply(now - self._trouble.pop(port))
            case "failed":
                self._trouble.setdefault(port, now)
                self._failed(SeriesLabels(port.instance, port.kind), event)
            case "lost":
                self._trouble.setdefault(port, now)
                self.leases.pop(port, None)
            case "removed":
                self._trouble.pop(port, None)
                self.reachable.pop(port, None)
                self.leases.pop(port, None)

    def _failed(self, series: SeriesLabels, event: PortEvent | GatewayEvent | ExternalIPEvent) -> None:
        reason = event.error if event.error in _ERRORS else _OTHER  # a plugin may have classes of its own
        self.failures[series, reason] += 1
