"""How one or more sessions are doing, in a line: `2 of 3 mappings up at 203.0.113.7; web: refused`.

Pure: the sum of the events noted. A session is known by its name.
"""

from collections.abc import Iterable

from portmap.events import (
    Event,
    ExternalIPChanged,
    GatewayFound,
    GatewayLost,
    PortAdded,
    PortChanged,
    PortEvent,
    PortFailed,
    PortLost,
    PortRemoved,
    PortRenewed,
)
from portmap.model import Address, Key, Scope, meaning_of


class Summary:
    """The state of all mappings that were asked for."""

    def __init__(self) -> None:
        self._wanted: dict[tuple[str, Key], str | None] = {}  # why it is not up; "" when up, None when not tried yet
        self._names: dict[tuple[str, Key], str] = {}
        self._addresses: dict[str, tuple[Address | None, Scope]] = {}
        self._lost: dict[str, str] = {}

    def add(self, session: str, keys: Iterable[Key]) -> None:
        """These mappings are asked for from now on."""
        for key in keys:
            self._wanted.setdefault((session, key), None)

    def remove(self, session: str) -> None:
        """The session has ended."""
        self._wanted = {place: why for place, why in self._wanted.items() if place[0] != session}
        self._addresses.pop(session, None)
        self._lost.pop(session, None)

    def apply(self, session: str, event: Event) -> None:
        """Take one event in."""
        match event:
            case GatewayLost():
                self._lost[session] = event.reason
            case GatewayFound():
                self._lost.pop(session, None)
            case ExternalIPChanged():
                self._addresses[session] = event.external_ip, event.scope
            case PortEvent(kind="mapping"):
                self._note_mapping((session, event.key), event)

    def _note_mapping(self, place: tuple[str, Key], event: PortEvent) -> None:
        self._names[place] = event.name or event.key.typed
        match event:
            case PortAdded() | PortChanged() | PortRenewed():
                self._wanted[place] = ""
            case PortFailed() if event.external_port and self._wanted.get(place) == "":
                pass  # a renewal failed, and the lease has not run out
            case PortFailed() | PortLost():
                self._wanted[place] = event.reason or "lost"
            case PortRemoved():
                self._wanted.pop(place, None)

    @property
    def is_settled(self) -> bool:
        """Whether every mapping is up or was tried: after the first attempt a service has started."""
        return all(why is not None or session in self._lost for (session, _), why in self._wanted.items())

    @property
    def is_complete(self) -> bool:
        """Whether every mapping is up."""
        return all(why == "" for why in self._wanted.values())

    def line(self) -> str:
        """All of it in one line for people."""
        up = sum(why == "" for why in self._wanted.values())
        total = len(self._wanted)
        count = f"{up} of {total} mappings up" if total != 1 else f"the mapping is {'up' if up else 'not up'}"
        return "; ".join([count + self._where(), *self._troubles()])

    def _where(self) -> str:
        addresses = sorted({str(address) for address, _ in self._addresses.values() if address is not None})
        return f" at {', '.join(addresses)}" if addresses else ""

    def _troubles(self) -> list[str]:
        down = [f"{self._names[place]}: {why}" for place, why in self._wanted.items() if why]
        useless = {meaning_of(scope) for _, scope in self._addresses.values()} - {""}
        return [*self._lost.values(), *sorted(useless), *down]
