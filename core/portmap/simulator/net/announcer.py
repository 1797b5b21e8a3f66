"""When the simulated router speaks unasked: at once, and again after ever longer gaps, until the next occasion.

Law: it knows no protocol and sends nothing itself; `utter` does. Runs on the reactor's thread.
"""

import itertools
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import TypeAlias

from portmap.errors import PortmapError
from portmap.simulator.net.reactor import Reactor
from portmap.simulator.net.udp_port import Peer

FIRST_GAP = 0.25  # seconds: RFC 6886 §3.2.1, and RFC 6887 §14.1.1 with the same numbers
TIMES = 10
Gaps: TypeAlias = Callable[[], Iterator[float]]


def doubling() -> Iterator[float]:
    """The gaps between ten announcements: 0.25 s, 0.5 s, … 64 s."""
    return (FIRST_GAP * 2**number for number in range(TIMES - 1))


def steadily(seconds: float) -> Gaps:
    """The same gap for ever."""
    return lambda: itertools.repeat(seconds)


class Announcer:
    """Calls `utter` at each occasion and after each of the gaps; `pace` stretches them (0.1: ten times faster)."""

    def __init__(self, reactor: Reactor, gaps: Gaps, pace: float, utter: Callable[[], None]) -> None:
        self._reactor, self._gaps, self._pace, self._utter = reactor, gaps, pace, utter
        self._occasion = 0

    def begin(self) -> None:
        """An occasion: what was begun before ends."""
        self._occasion += 1
        self._go_on(self._occasion, self._gaps())

    def end(self) -> None:
        """Speak no more."""
        self._occasion += 1

    def _go_on(self, occasion: int, gaps: Iterator[float]) -> None:
        if occasion != self._occasion:
            return
        self._utter()
        gap = next(gaps, None)
        if gap is not None:
            self._reactor.later(gap * self._pace, lambda: self._go_on(occasion, gaps))


def check_targets(address: str, targets: tuple[Peer, ...], pace: float) -> None:
    """Announcements go to multicast groups or to loopback, and need time. Raises PortmapError."""
    for host, _port in targets:
        where = ip_address(host)
        if not (where.is_loopback or (where.is_multicast and where.version == 4)):
            raise PortmapError(f"the simulated router {address} announces to multicast or loopback, not to {host}")
    if pace <= 0:
        raise PortmapError(f"announcements at a pace of {pace:g} would have no end: use a positive number")
