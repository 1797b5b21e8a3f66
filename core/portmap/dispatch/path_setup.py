"""What a path starts with: the backend, the journal's store, and how the path's events are told. Pure.

A session has up to two paths: one for the gateway's IPv4 mappings, one for pinholes in its IPv6 firewall. The loop
knows mappings only; PinholeTranslator tells its events as those of pinholes.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from portmap.backends.nat import Nat
from portmap.events import Event, ExternalIPEvent, GatewayEvent, GatewayFound, NetworkChanged, PortEvent

if TYPE_CHECKING:  # a session without a state folder does not import it
    from portmap.storage.journal_store import JournalStore
    from portmap.storage.open_ports_reader import OpenPortsReader

EventTranslator: TypeAlias = Callable[[Event], Event | None]
"""The event to tell in place of the path's own; None to tell nothing."""


def unchanged(event: Event) -> Event:
    """The event itself: the translator of an IPv4 path."""
    return event


class PathSetup(NamedTuple):
    """A backend, where its ports are remembered, and how its events are told."""

    nat: Nat
    state: "JournalStore | None" = None
    translate: EventTranslator = unchanged
    optional: bool = False  # whether the user did not ask for it: IPv6 beside IPv4
    open_ports: "OpenPortsReader | None" = None  # what `portmap open` has left open

    @property
    def ipv6(self) -> bool:
        """Whether its ports are pinholes."""
        return isinstance(self.translate, PinholeTranslator)


class PinholeTranslator:
    """Tells mapping events as pinhole events. `alone`: there is no IPv4 path beside.

    Beside an IPv4 path nothing is told before an IPv6 gateway was found: most networks have none, and the user did not
    ask for one. What the IPv4 path tells as well is left out: the address, and that our network changed.
    """

    def __init__(self, *, alone: bool) -> None:
        self._alone = alone
        self._found = alone

    def __call__(self, event: Event) -> Event | None:
        """The event to tell; None for nothing."""
        match event:
            case GatewayFound():
                self._found = True
                return event
            case PortEvent():
                return replace(event, kind="pinhole") if self._found else None
            case GatewayEvent():
                return event if self._found else None
            case ExternalIPEvent() | NetworkChanged():
                return event if self._alone else None
        return event
