"""Has the gateway lost its state? RFC 6886 §3.6. Pure.

Every answer has the gateway's epoch: the seconds since it began to keep its state. A gateway whose epoch is lower than
it must be by now may have restarted and forgotten our mappings. The RFC calls it restarted where the epoch has grown
by less than 7/8 of the time; that hides a restart within the first seconds. Here any shortfall counts, for asking again
costs one exchange.
"""

from typing import NamedTuple

ROUNDING = 1.0  # seconds that are lost because an epoch is a whole number
DRIFT = 0.01  # part of the time by which two clocks may differ; quartz differs by less than 0.0002
SLOWEST = 7 / 8  # pace of the slowest clock of a gateway that kept its state: RFC 6886 §3.6
LATENESS = 2.0  # seconds: RFC 6886 §3.6
_MIN_MEASURED = 30.0  # seconds after which the pace of a gateway's clock can be told, to within rounding


class Epoch(NamedTuple):
    """One answer's epoch: `seconds` as the gateway said, at some time from `asked_at` to `heard_at` on our clock.

    Our clock must not jump: a wall clock that is set forward would look like a restart.
    """

    seconds: int
    asked_at: float
    heard_at: float

    def expected(self, newer: "Epoch", pace: float = 1.0) -> float:
        """The least that the newer answer's epoch must be, for a clock that runs at that pace."""
        return self.seconds + max(newer.asked_at - self.heard_at, 0.0) * pace

    def falls_short(self, newer: "Epoch", pace: float = 1.0) -> bool:
        """Whether the gateway may have restarted between this answer and the newer one."""
        return newer.seconds < self.expected(newer, pace * (1 - DRIFT)) - ROUNDING

    def is_restarted(self, newer: "Epoch") -> bool:
        """Whether the gateway has restarted, as the RFC has it."""
        return newer.seconds < self.expected(newer, SLOWEST) - LATENESS

    def pace(self, newer: "Epoch") -> float:
        """How fast the gateway's clock ran from this answer to the newer one, from SLOWEST to 1."""
        passed = newer.asked_at - self.heard_at
        if passed < _MIN_MEASURED:
            return 1.0
        return min(max((newer.seconds - self.seconds) / passed, SLOWEST), 1.0)
