"""Settings: ports, clock, timeouts; for tests and odd networks to change. Values only."""

import random
from collections.abc import Callable, Sequence
from functools import partial
from ipaddress import IPv4Address
from typing import NamedTuple

from portmap.network.routes import is_on_link
from portmap.wire import Peer, Timeouts, boottime
from portmap_pcp.packets import PORT


class Settings(NamedTuple):
    """An announcement received at one of `announced_at` is verified after `random()` times `spread` seconds.

    RFC 6887 §8.5 has up to 5 seconds, for networks larger than any home router serves. `announced_at` None: where PCP
    servers announce themselves. `is_on_link`: whether an address is in a network of our own interfaces. `interface`:
    the one of this host to use; None: the routing table decides.
    """

    port: int = PORT
    timeouts: Timeouts = Timeouts()
    clock: Callable[[], float] = boottime
    announced_at: Sequence[Peer] | None = None
    spread: float = 0.25
    random: Callable[[], float] = random.random
    is_on_link: Callable[[IPv4Address], bool] = is_on_link
    interface: str | None = None

    @classmethod
    def on(cls, interface: str | None) -> "Settings":
        """The usual ones for this interface."""
        return cls(interface=interface, is_on_link=partial(is_on_link, interface=interface))

    def delay(self) -> float:
        """How long to wait before a verification."""
        return self.spread * self.random()
