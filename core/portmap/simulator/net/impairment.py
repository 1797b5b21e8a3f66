"""Impairment: what the quirks do to bytes on their way between the simulated router and its LAN.

No protocol, socket or timer; random numbers come from `random`.
"""

from collections.abc import Callable
from random import Random
from typing import Final, TypeAlias

from portmap.simulator.state import RouterState

_ANSWER_BIT: Final = 0x80  # of the second byte: RFC 6886 §3.5, RFC 6887 §7.2

Send: TypeAlias = Callable[[], None]
"""Sends one datagram."""


class Impairment:
    """Between one router and its LAN. While `down`, as in a reboot, nothing gets in or out."""

    def __init__(self, state: RouterState, random: Random) -> None:
        self.down = False
        self._state = state
        self._random = random
        self._arrived = 0
        self._held: Send | None = None

    def reset(self) -> None:
        """Count arrivals anew: the quirks have changed."""
        self._arrived = 0
        self._held = None

    def lets_in(self) -> bool:
        """Whether the datagram that comes now reaches the router."""
        self._arrived += 1
        return not self.down and self._arrived > self._state.quirks.lost_first and not self._loses()

    def departures(self, send: Send) -> tuple[Send, ...]:
        """What leaves now that this datagram is ready, in order: none, it, another one, some of them twice."""
        out: tuple[Send, ...] = (send,)
        if self._state.quirks.reorder:
            out, self._held = (
                (() if self._held is None else (send, self._held)),
                send if self._held is None else None,
            )
        return tuple(copy for one in out for copy in [one] * (2 if self._state.quirks.duplicate else 1))

    def apply_to_datagram(self, answer: bytes) -> bytes | None:
        """The datagram as it leaves the router; None where it does not."""
        return None if self._loses() else self.apply_to_stream(answer)

    def apply_to_stream(self, answer: bytes) -> bytes | None:
        """The same for a stream, whose lost bytes TCP would send again."""
        quirks = self._state.quirks
        if self.down or quirks.silent:
            return None
        if quirks.garbage:
            return self._garbage(len(answer))
        return answer[: len(answer) // 2] if quirks.truncated else answer

    def _garbage(self, length: int) -> bytes:
        """Random bytes without the bit that marks an answer in NAT-PMP and PCP, or one in 500 would be one."""
        garbage = bytearray(self._random.randbytes(length))
        if length > 1:
            garbage[1] &= ~_ANSWER_BIT
        return bytes(garbage)

    def _loses(self) -> bool:
        loss = self._state.quirks.loss
        return loss > 0 and self._random.random() < loss
