"""RouterState: what all protocols of the simulated router share: its address, tables and epoch, and what it grants.

Time is an argument (seconds on the router's clock), random numbers come from `random`. The protocols bring their own
numbers for a refusal.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from ipaddress import AddressValueError, IPv4Address
from random import Random

from portmap.model import MAX_PORT, Protocol
from portmap.simulator.mapping_table import Entry, MappingTable, Slot, ports_from
from portmap.simulator.pinhole_table import Pinhole, PinholeTable
from portmap.simulator.quirks import Quirks

Usable = Callable[[Protocol, int], bool]
OTHER_PORT_STEP = 1000  # how far off the quirk `other_port` answers
VPN_LEASE = 60  # seconds: ProtonVPN
VPN_PORTS = (32768, 65535)
SAME_PORT = (0, 1)  # the internal ports that mean "as outside" to a VPN gateway
LOWEST_FREE_PORT = 1024  # for the quirk `high_ports_only`
UNIX_EPOCH = 1_767_225_600  # seconds: where the quirk `unix_epoch` begins, in 2026
PRIVATE_WAN, CGNAT_WAN, ZERO_WAN, SECOND_WAN = "192.168.100.2", "100.64.1.2", "0.0.0.0", "5.6.7.8"  # noqa: S104  # said


def _any_port(_protocol: Protocol, _port: int) -> bool:
    return True


@dataclass(slots=True)
class RouterState:
    """What one router knows. `booted` is when its epoch began, `quirks_since` when it got its quirks, on its own clock.

    `usable` says whether the router could listen on an external port at all; `cured` are the slots that the quirk
    `zombie_mapping` no longer harms; `called` is when the last UPnP action came.
    """

    external_ip: str = "1.2.3.4"
    quirks: Quirks = field(default_factory=Quirks)
    booted: float = 0.0
    igd: int = 1
    usable: Usable = _any_port
    table: MappingTable = field(default_factory=MappingTable)
    pinholes: PinholeTable = field(default_factory=PinholeTable)
    random: Random = field(default_factory=Random)
    quirks_since: float = 0.0
    cured: set[Slot] = field(default_factory=set)
    called: float = -math.inf

    def reboot(self, now: float) -> None:
        """Forget every mapping and pinhole, and begin a new epoch."""
        self.table, self.pinholes = MappingTable(), PinholeTable()
        self.restart_epoch(now)

    def restart_epoch(self, now: float) -> None:
        """Begin a new epoch, unless this router counts something else."""
        if not self.quirks.uptime_epoch:
            self.booted = now

    def set_quirks(self, quirks: Quirks, now: float) -> None:
        """Have these quirks from now on."""
        self.quirks, self.quirks_since = quirks, now
        self.cured.clear()

    # The line and the clock.

    def epoch(self, now: float) -> int:
        """Seconds since the table was last lost (RFC 6886 §3.6), or what the router gives for it."""
        return UNIX_EPOCH + int(now) if self.quirks.unix_epoch else self.uptime(now)

    def uptime(self, now: float) -> int:
        """Seconds, as UPnP states them."""
        age, period = int(now - self.booted), self.quirks.epoch_reset
        return age % period if period else age

    def wan_up(self, now: float) -> bool:
        """Whether the line to the provider is up."""
        return not self.quirks.no_wan and not self._odd_turn(self.quirks.wan_flap, now)

    def wan_address(self, now: float) -> str:
        """The address of the line to the provider, any text; empty for none."""
        quirks = self.quirks
        private = quirks.private_wan or quirks.refuses_private
        pretences = (
            (not self.wan_up(now), ""),
            (quirks.cgnat_wan, CGNAT_WAN),
            (private, PRIVATE_WAN),
            (quirks.zero_wan, ZERO_WAN),
            (self._odd_turn(quirks.two_wans, now), SECOND_WAN),
        )
        return next((text for holds, text in pretences if holds), self.external_ip)

    def stated_address(self, now: float) -> str:
        """What UPnP states as the external address."""
        if self.quirks.states is not None:
            return self.quirks.states
        return "" if self.quirks.refuses_private else self.wan_address(now)

    def assigned_address(self, now: float) -> IPv4Address | None:
        """The line's address, if there is one that can go into four bytes."""
        try:
            return IPv4Address(self.wan_address(now))
        except AddressValueError:
            return None

    def address(self, now: float) -> IPv4Address | None:
        """The external address that NAT-PMP and PCP state; None where they refuse in its place."""
        return None if self.quirks.refuses_private else self.assigned_address(now)

    def _odd_turn(self, period: float, now: float) -> bool:
        return period > 0 and int((now - self.quirks_since) / period) % 2 == 1

    # What is granted.

    def conflict(self, requested: Entry, now: float) -> bool:
        """Whether the wanted external port is taken: by another client, by the router itself, or by the quirk."""
        holder = self.table.at(requested.protocol, requested.external_port, now)
        if holder is not None:
            return holder.internal_client != requested.internal_client or self.quirks.no_overwrite
        return not self.free(requested.protocol, requested.external_port, now)

    def forbids(self, external_port: int) -> bool:
        """Whether no host may have this external port here."""
        allowed = self.quirks.only_ports
        too_low = self.quirks.high_ports_only and external_port < LOWEST_FREE_PORT
        return too_low or bool(allowed and external_port not in allowed)

    def port_for(self, requested: Entry, now: float) -> int | None:
        """The external port for a request: the one that leads there already, else the wanted one or the next free one.

        None where there is none left.
        """
        if self.quirks.vpn_gateway:
            return self._vpn_port(requested.internal_client, now)
        held = self.table.held_by(requested.internal_client, requested.protocol, requested.internal_port, now)
        if held is not None:
            return held.external_port
        return self._first_free(requested, ports_from(self._first_choice(requested)), now)

    def port_near(self, requested: Entry, now: float) -> int | None:
        """The external port for AddAnyPortMapping: the wanted one, else the nearest that is free and allowed.

        None where there is none left.
        """
        wanted = requested.external_port
        elsewhere = self.quirks.other_port or self.quirks.vpn_gateway
        if wanted and not elsewhere and not self.forbids(wanted) and not self.conflict(requested, now):
            return wanted
        if self.quirks.vpn_gateway:
            return self._vpn_port(requested.internal_client, now)
        held = self.table.held_by(requested.internal_client, requested.protocol, requested.internal_port, now)
        if held is not None:
            return held.external_port
        if allowed := self.quirks.only_ports:
            return self._first_free(requested, iter(sorted(allowed, key=lambda port: abs(port - wanted))), now)
        start = self._first_choice(requested) if wanted else self.random.randint(*VPN_PORTS)
        return self._first_free(requested, ports_from(start), now)

    def _first_free(self, requested: Entry, ports: Iterator[int], now: float) -> int | None:
        free = (port for port in ports if not self.forbids(port) and self.free(requested.protocol, port, now))
        return None if self.quirks.full_table else next(free, None)

    def _vpn_port(self, client: str, now: float) -> int | None:
        """One port a client, for TCP and UDP alike, as long as any of it is held."""
        held = [entry.external_port for entry in self.table.alive(now) if entry.internal_client == client]
        drawn = ports_from(self.random.randint(*VPN_PORTS))
        free = (port for port in drawn if all(self.free(protocol, port, now) for protocol in Protocol))
        return held[0] if held else next(free, None)

    def _first_choice(self, requested: Entry) -> int:
        if not self.quirks.other_port:
            return requested.external_port
        return (requested.external_port + OTHER_PORT_STEP - 1) % MAX_PORT + 1

    def free(self, protocol: Protocol, port: int, now: float) -> bool:
        """Whether no host has this external port."""
        taken = port in self.quirks.conflict | self.quirks.bad_rows or self.table.at(protocol, port, now) is not None
        return not taken and self.usable(protocol, port)

    def grant(self, requested: Entry, now: float) -> Entry:
        """Enter what was requested, with the lifetime that this router gives; what was granted."""
        quirks = self.quirks
        lifetime, cap = requested.lifetime, VPN_LEASE if quirks.vpn_gateway else quirks.caps_lifetime
        if cap is not None:
            lifetime = min(lifetime or cap, cap)
        same = quirks.vpn_gateway and requested.internal_port in SAME_PORT
        entry = replace(
            requested,
            internal_port=requested.external_port if same else requested.internal_port,
            lifetime=lifetime,
            expires=now + lifetime if lifetime else math.inf,
            pruned=now + quirks.prunes if quirks.prunes else math.inf,
        )
        if quirks.one_mapping:
            for other in self.table.alive(now):
                if other.internal_client == entry.internal_client:
                    self.table.remove(other)
        if not quirks.success_without_effect:
            self.table.put(entry)
        return entry

    def open_pinhole(self, requested: Pinhole, now: float) -> Pinhole:
        """Open what was requested, with the lifetime that this router gives; what was granted."""
        lifetime = min(requested.lifetime, self.quirks.caps_lifetime or requested.lifetime)
        ends = now + min(lifetime, self.quirks.prunes or lifetime)
        opened = replace(requested, lifetime=lifetime, ends=ends)
        return opened if self.quirks.success_without_effect else self.pinholes.put(opened, now)

    def remove(self, entry: Entry) -> None:
        """Take a mapping out."""
        self.table.remove(entry)
        self.cured.add(entry.slot)

    def forwarded(self, now: float) -> tuple[Entry, ...]:
        """The mappings that really lead somewhere now."""
        if not self.wan_up(now):
            return ()
        alive = self.table.alive(now)
        return tuple(it for it in alive if it.slot in self.cured) if self.quirks.zombie_mapping else alive

    def reported_port(self, entry: Entry) -> int:
        """The external port that an answer gives as granted."""
        return 0 if self.quirks.zero_port else entry.external_port

    def echoed_port(self, internal_port: int) -> int:
        """The internal port that an answer echoes."""
        return internal_port % MAX_PORT + 1 if self.quirks.wrong_internal_port else internal_port

    def matches(self, internal_port: int, entry: Entry) -> bool:
        """Whether a request to delete this internal port means the entry; 0 is all of them."""
        return internal_port in (0, entry.internal_port) or (self.quirks.vpn_gateway and internal_port in SAME_PORT)
