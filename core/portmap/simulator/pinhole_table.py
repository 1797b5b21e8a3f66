"""PinholeTable: the IPv6 firewall of the simulated router: which ports of which hosts are open, and until when.

Pure. Time is an argument, every look first drops what has run out. A pinhole is known by its five values, as in
WANIPv6FirewallControl:1 §2.4.3: to ask for it again is to renew it. No bytes prove it: every program of this host can
reach ::1 anyway.
"""

import math
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from portmap.model import Protocol

Five: TypeAlias = tuple[Protocol, str, int, str, int]


@dataclass(frozen=True, slots=True)
class Pinhole:
    """An opening to `client`, a host of the LAN with an address of its own. `lifetime` in seconds as granted.

    `remote`, `remote_port`: who may come in; "" and 0: any host. `nonce`: PCP's, as text. `unique_id` is UPnP's name
    for it. `ends` takes no part in comparisons.
    """

    protocol: Protocol
    client: str
    port: int
    lifetime: int
    nonce: str = ""
    remote: str = ""
    remote_port: int = 0
    unique_id: int = 0
    ends: float = field(default=math.inf, compare=False, repr=False)

    @property
    def five(self) -> Five:
        """What identifies it."""
        return self.protocol, self.client, self.port, self.remote, self.remote_port

    def remaining(self, now: float) -> int:
        """Whole seconds left, rounded up."""
        return max(1, math.ceil(self.ends - now))


class PinholeTable:
    """All pinholes of one router. Their unique ids count from 1, and from 1 again after a reboot, as miniupnpd's."""

    def __init__(self) -> None:
        self._all: dict[Five, Pinhole] = {}
        self._last_id = 0

    def alive(self, now: float) -> tuple[Pinhole, ...]:
        """Every pinhole that is open now, in the order in which they were made."""
        self._all = {five: it for five, it in self._all.items() if it.ends > now}
        return tuple(self._all.values())

    def like(self, requested: Pinhole, now: float) -> Pinhole | None:
        """The one that is open for the same five values."""
        self.alive(now)
        return self._all.get(requested.five)

    def named(self, unique_id: int, now: float) -> Pinhole | None:
        """The one with this unique id."""
        return next((it for it in self.alive(now) if it.unique_id == unique_id), None)

    def put(self, requested: Pinhole, now: float) -> Pinhole:
        """Open it, or renew it under the id that it has."""
        held = self.like(requested, now)
        self._last_id += held is None
        opened = replace(requested, unique_id=held.unique_id if held else self._last_id)
        self._all[requested.five] = opened
        return opened

    def remove(self, pinhole: Pinhole) -> None:
        """Shut it; no matter if it is gone already."""
        self._all.pop(pinhole.five, None)
