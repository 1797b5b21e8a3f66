"""What holds, as far as the events say: the open ports and pinholes, the external address, and why a port is not open.

Pure. Nothing gets in here but by `note`.
"""

from collections.abc import Iterable

from portmap import errors
from portmap.errors import NATError, PortmapError
from portmap.events import (
    Event,
    ExternalIPChanged,
    ExternalIPEvent,
    ExternalIPFailed,
    GatewayEvent,
    GatewayFound,
    GatewayLost,
    PortAdded,
    PortChanged,
    PortEvent,
    PortFailed,
    PortLost,
    PortRemoved,
    PortRenewed,
    RecordChanged,
)
from portmap.model import Address, Key, Mapping
from portmap.node.record import Record


class SessionState:
    """The sum of the events noted."""

    def __init__(self) -> None:
        self.mappings: dict[Key, Mapping] = {}
        self.pinholes: dict[Key, Mapping] = {}
        self.external_ip: Address | None = None
        self._failures: dict[Key, PortmapError] = {}
        self._pinhole_failures: dict[Key, PortmapError] = {}
        self._gateway_failure: PortmapError | None = None
        self._address_failure: PortmapError | None = None

    def apply(self, event: Event) -> None:
        """Take one event in."""
        match event:
            case PortEvent():
                self._note_port(event)
            case ExternalIPChanged():
                self.external_ip = event.external_ip
                self._address_failure = None
            case ExternalIPFailed():
                self._address_failure = _as_error(event)
            case GatewayFound():
                self._gateway_failure = None
            case GatewayLost():
                self._gateway_failure = _as_error(event)

    def _note_port(self, event: PortEvent) -> None:
        match event:
            case PortAdded(kind="mapping") | PortChanged(kind="mapping") | PortRenewed(kind="mapping"):
                self.mappings[event.key] = _mapping(event)
                self._failures.pop(event.key, None)
            case PortLost(kind="mapping") | PortRemoved(kind="mapping"):
                self.mappings.pop(event.key, None)
            case PortFailed(kind="mapping"):
                self._failures[event.key] = _as_error(event)
            case PortAdded(kind="pinhole") | PortChanged(kind="pinhole") | PortRenewed(kind="pinhole"):
                self.pinholes[event.key] = _mapping(event)
                self._pinhole_failures.pop(event.key, None)
            case PortLost(kind="pinhole") | PortRemoved(kind="pinhole"):
                self.pinholes.pop(event.key, None)
            case PortFailed(kind="pinhole"):
                self._pinhole_failures[event.key] = _as_error(event)

    def forget_failure(self, key: Key) -> None:
        """The port is no longer wanted."""
        self._failures.pop(key, None)
        self._pinhole_failures.pop(key, None)

    def why_missing(self, keys: Iterable[Key]) -> PortmapError | None:
        """What the first of these ports that failed failed with, else why there is no gateway, else no address.

        None if all is well.
        """
        failures = self._pinhole_failures | self._failures
        missing = next((failures[key] for key in keys if key in failures), None)
        return missing or self._gateway_failure or self._address_failure


def _mapping(event: PortEvent) -> Mapping:
    return Mapping(
        event.protocol,
        event.internal_port,
        event.external_port or 0,
        event.lifetime or 0,
        event.external_ip,
        event.name,
        event.static or False,
        event.follow or False,
        event.host,
    )


def _as_error(event: PortEvent | GatewayEvent | ExternalIPEvent) -> PortmapError:
    """The error that an event reports, as the class it names."""
    kind = getattr(errors, event.error, NATError)
    error: PortmapError = kind(event.reason)
    return error


def record_changed(record: Record, enr: str) -> RecordChanged:
    """The event that tells a new record; `enr` is its signed text, or empty."""
    return RecordChanged(
        seq=record.seq,
        ip=record.ip,
        ip6=record.ip6,
        tcp=record.tcp,
        tcp6=record.tcp6,
        udp=record.udp,
        udp6=record.udp6,
        enr=enr,
    )
