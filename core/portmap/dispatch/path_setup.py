"""A road: one way for ports to be reached - the gateway's IPv4 mappings, or its IPv6 pinholes - and how it is told of.

Law: pure. The loop knows only mappings; what it says of the IPv6 road is put into that road's own words here.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TypeAlias

from portmap.backends.nat import Nat
from portmap.events import (
    Event,
    ExternalIPEvent,
    GatewayEvent,
    GatewayFound,
    MappingAdded,
    MappingChanged,
    MappingEvent,
    MappingFailed,
    MappingLost,
    MappingRemoved,
    MappingRenewed,
    NetworkChanged,
    PinholeAdded,
    PinholeChanged,
    PinholeEvent,
    PinholeFailed,
    PinholeLost,
    PinholeRemoved,
    PinholeRenewed,
)
from portmap.storage.journal_store import JournalStore

EventTranslator: TypeAlias = Callable[[Event], Event | None]
"""What a road says in place of what its path said; None for nothing."""

_PINHOLES: dict[type[MappingEvent], type[PinholeEvent]] = {
    MappingAdded: PinholeAdded,
    MappingChanged: PinholeChanged,
    MappingRenewed: PinholeRenewed,
    MappingFailed: PinholeFailed,
    MappingLost: PinholeLost,
    MappingRemoved: PinholeRemoved,
}


def unchanged(event: Event) -> Event:
    """The voice that changes nothing."""
    return event


@dataclass(frozen=True, slots=True)
class PathSetup:
    """A gateway's door, where its ports are remembered, and its voice."""

    nat: Nat
    state: JournalStore | None = None
    translate: EventTranslator = unchanged
    optional: bool = False  # whether the user did not ask for it: IPv6 beside IPv4

    @property
    def ipv6(self) -> bool:
        """Whether its ports are pinholes."""
        return isinstance(self.translate, PinholeTranslator)


class PinholeTranslator:
    """Tells the loop's mappings as pinholes.

    Beside an IPv4 road it says nothing until an IPv6 gateway was found, for most have none and nobody asked for one;
    and never what the other road says as well: that our network changed, and an address.
    """

    def __init__(self, *, alone: bool) -> None:
        self._alone = alone
        self._heard = alone

    def __call__(self, event: Event) -> Event | None:
        """The event in this road's words."""
        match event:
            case GatewayFound():
                self._heard = True
                return event
            case MappingEvent():
                return to_pinhole_event(event) if self._heard else None
            case GatewayEvent():
                return event if self._heard else None
            case ExternalIPEvent() | NetworkChanged():
                return event if self._alone else None
        return event


def to_pinhole_event(event: MappingEvent) -> PinholeEvent:
    """The same of a pinhole."""
    return _PINHOLES[type(event)](**{field.name: getattr(event, field.name) for field in fields(event)})
