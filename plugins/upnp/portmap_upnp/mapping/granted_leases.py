"""GrantedLeases: the leases that a gateway granted, and whether its renewals extend them.

A renewal at a gateway that is known to extend leases need not be read back: that saves one call of three.
"""

from portmap.model import Protocol
from portmap_upnp.mapping.table_reader import Reading


class GrantedLeases:
    """By protocol and external port, in seconds."""

    def __init__(self) -> None:
        self._granted: dict[tuple[Protocol, int], tuple[int, int]] = {}  # asked for, and granted
        self._renewals_extend = False

    def learn_anew(self) -> None:
        """Drop what was learnt of how the gateway renews. What it granted stays known."""
        self._renewals_extend = False

    def note(self, key: tuple[Protocol, int], asked: int, lifetime: int) -> None:
        """The gateway granted this lifetime."""
        self._granted[key] = asked, lifetime

    def note_renewal(self, before: Reading, after: Reading) -> None:
        """Learn from the entry before and after a renewal."""
        if before.entry and after.entry and before.entry.lease and after.entry.lease > before.entry.lease:
            self._renewals_extend = True

    def last(self, key: tuple[Protocol, int]) -> int:
        """The lifetime granted last, 0 for none."""
        return self._granted.get(key, (0, 0))[1]

    def known_renewal(self, key: tuple[Protocol, int], before: Reading, asked: int) -> int | None:
        """The lifetime that a yes to a renewal means, where this gateway extends leases, and extended the last one.

        A renewal comes when 3/8 to 1/2 of the lease is left (RFC 6887 §11.2.1); under a third, the last had no effect.
        """
        was_asked, lifetime = self._granted.get(key, (0, 0))
        entry = before.entry
        if entry is None or not (self._renewals_extend and entry.enabled and was_asked == asked):
            return None
        return lifetime if lifetime and entry.lease * 3 > lifetime else None
