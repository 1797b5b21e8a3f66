"""MappingTable: which host holds which external port of the simulated router, and until when.

Pure. Time is an argument (seconds on the router's own clock). Every look first drops what has run out, so an expired
mapping is never seen. One external port of a protocol belongs to one entry.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from portmap.model import MAX_PORT, Protocol

FIRST_UNPRIVILEGED = 1024  # where a search that wrapped around goes on, as miniupnpd does
Slot: TypeAlias = tuple[Protocol, int]
"""What identifies an entry: protocol and external port."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One mapping. `lifetime` in seconds as granted (0 = permanent); addresses as text, as on the wire.

    `expires` is when it ends on the router's clock, `pruned` when the router throws it out all the same; the two take
    no part in comparisons.
    """

    protocol: Protocol
    external_port: int
    internal_client: str
    internal_port: int
    lifetime: int
    description: str = ""
    expires: float = field(default=math.inf, compare=False, repr=False)
    pruned: float = field(default=math.inf, compare=False, repr=False)

    @property
    def slot(self) -> Slot:
        """The place in the table."""
        return self.protocol, self.external_port

    @property
    def ends(self) -> float:
        """When it is gone, for whatever reason."""
        return min(self.expires, self.pruned)

    def remaining(self, now: float) -> int:
        """Whole seconds left, rounded up; 0 for a permanent mapping."""
        return 0 if math.isinf(self.expires) else max(1, math.ceil(self.expires - now))


class MappingTable:
    """All mappings of one router."""

    def __init__(self) -> None:
        self._entries: dict[Slot, Entry] = {}
        self._alive: tuple[Entry, ...] = ()  # the same, kept until something changes: looks are many
        self._next = math.inf

    def alive(self, now: float) -> tuple[Entry, ...]:
        """Every mapping that holds now, in the order in which they were made; the same tuple until that changes."""
        if now >= self._next:
            self._entries = {slot: entry for slot, entry in self._entries.items() if entry.ends > now}
            self._changed()
        return self._alive

    def at(self, protocol: Protocol, external_port: int, now: float) -> Entry | None:
        """The mapping of this external port."""
        self.alive(now)
        return self._entries.get((protocol, external_port))

    def held_by(self, client: str, protocol: Protocol, internal_port: int, now: float) -> Entry | None:
        """The mapping that leads to this internal port of this client; the first one, where there are several."""
        for entry in self.alive(now):
            if (entry.internal_client, entry.protocol, entry.internal_port) == (client, protocol, internal_port):
                return entry
        return None

    def put(self, entry: Entry) -> None:
        """Enter a mapping, in place of whatever had its external port."""
        self._entries[entry.slot] = entry
        self._changed()

    def remove(self, entry: Entry) -> None:
        """Take a mapping out; no matter if it has gone already."""
        self._entries.pop(entry.slot, None)
        self._changed()

    def next_expiry(self) -> float:
        """When the next mapping ends on the router's clock; infinity where none does."""
        return self._next

    def _changed(self) -> None:
        self._alive = tuple(self._entries.values())
        self._next = min((entry.ends for entry in self._alive), default=math.inf)


def ports_from(wanted: int) -> Iterator[int]:
    """Every port once, the wanted one first, then upwards and around: miniupnpd's search for a free one."""
    yield from range(wanted, MAX_PORT + 1)
    yield from range(FIRST_UNPRIVILEGED, wanted)
