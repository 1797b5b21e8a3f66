"""Announcer: sends an announcement at once and again after each of several gaps, until it is started anew or stopped.

Knows no protocol: `send` does the sending. Reactor thread only.
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
    """Calls `send` at each start and after each of the gaps; `pace` stretches them (0.1: ten times faster)."""

    def __init__(self, reactor: Reactor, gaps: Gaps, pace: float, send: Callable[[], None]) -> None:
        self._reactor, self._gaps, self._pace, self._send = reactor, gaps, pace, send
        self._round = 0  # an earlier round's timers find that it is over

    def start(self) -> None:
        """Announce now and after each gap, in place of a round that is under way."""
        self._round += 1
        self._continue(self._round, self._gaps())

    def stop(self) -> None:
        """Announce no more."""
        self._round += 1

    def _continue(self, number: int, gaps: Iterator[float]) -> None:
        if number != self._round:
            return
        self._send()
        gap = next(gaps, None)
        if gap is not None:
            self._reactor.later(gap * self._pace, lambda: self._continue(number, gaps))


def check_targets(address: str, targets: tuple[Peer, ...], pace: float) -> None:
    """Check that announcements go to multicast groups or to loopback, and take time. Raises PortmapError."""
    for host, _port in targets:
        where = ip_address(host)
        if not (where.is_loopback or (where.is_multicast and where.version == 4)):
            raise PortmapError(f"the simulated router {address} announces to multicast or loopback, not to {host}")
    if pace <= 0:
        raise PortmapError(f"announcements at a pace of {pace:g} would have no end: use a positive number")
