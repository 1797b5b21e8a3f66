"""The inside of the simulated router, which all its protocols share: address, table, epoch and the grant.

Law: pure but for its own state; time is an argument, the protocols bring their own numbers for a refusal.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from ipaddress import AddressValueError, IPv4Address

from portmap.model import MAX_PORT, Protocol
from portmap.testing.quirks import Quirks
from portmap.testing.table import Entry, Table, ports_from

Usable = Callable[[Protocol, int], bool]
OTHER_PORT_STEP = 1000  # how far off the quirk `other_port` answers


def _anything_goes(_protocol: Protocol, _port: int) -> bool:
    return True


@dataclass(slots=True)
class Box:
    """What one router knows. `booted` is when its epoch began, on its own clock.

    `usable` says whether the router could listen on an external port at all.
    """

    external_ip: str = "1.2.3.4"
    quirks: Quirks = field(default_factory=Quirks)
    booted: float = 0.0
    igd: int = 1
    usable: Usable = _anything_goes
    table: Table = field(default_factory=Table)

    def reboot(self, now: float) -> None:
        """Forget every mapping and begin a new epoch."""
        self.table = Table()
        self.booted = now

    def epoch(self, now: float) -> int:
        """Seconds since the table was last lost (RFC 6886 §3.6)."""
        return int(now - self.booted)

    def address(self) -> IPv4Address | None:
        """The external address, if there is one that can go into four bytes."""
        if self.quirks.wan_down:
            return None
        try:
            return IPv4Address(self.external_ip)
        except AddressValueError:
            return None

    def conflict(self, wish: Entry, now: float) -> bool:
        """Whether somebody else has the wanted external port: another client, the router itself, or the quirk."""
        holder = self.table.at(wish.protocol, wish.external_port, now)
        if holder is not None:
            return holder.internal_client != wish.internal_client
        return not self._free(wish.protocol, wish.external_port, now)

    def port_for(self, wish: Entry, now: float) -> int | None:
        """The external port for a wish: the one that leads there already, else the wanted one or the next free one.

        None where there is none left.
        """
        held = self.table.held_by(wish.internal_client, wish.protocol, wish.internal_port, now)
        if held is not None:
            return held.external_port
        free = (port for port in ports_from(self._first_choice(wish)) if self._free(wish.protocol, port, now))
        return next(free, None)

    def _first_choice(self, wish: Entry) -> int:
        if not self.quirks.other_port:
            return wish.external_port
        return (wish.external_port + OTHER_PORT_STEP - 1) % MAX_PORT + 1

    def _free(self, protocol: Protocol, port: int, now: float) -> bool:
        taken = port in self.quirks.conflicts or self.table.at(protocol, port, now) is not None
        return not taken and self.usable(protocol, port)

    def grant(self, wish: Entry, now: float) -> Entry:
        """Enter what was wished for, with the lifetime that this router gives, and say what was granted."""
        lifetime, cap = wish.lifetime, self.quirks.caps_lifetime
        if cap is not None:
            lifetime = min(lifetime or cap, cap)
        entry = replace(wish, lifetime=lifetime, expires=now + lifetime if lifetime else math.inf)
        if not self.quirks.success_without_effect:
            self.table.put(entry)
        return entry
