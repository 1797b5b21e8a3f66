"""Has the server lost its state? RFC 6887 §8.5. Pure.

Every answer has the server's epoch: the seconds since it began to keep its state. A server whose epoch is lower than it
must be by now, or much higher, may have restarted, or have another external address, and has forgotten our mappings.
The RFC tolerates a difference of a sixteenth of the time; that hides a restart within the first seconds. Here any
shortfall counts, for asking again costs one exchange.
"""

from typing import NamedTuple

ROUNDING = 1.0  # seconds that are lost because an epoch is a whole number
DRIFT = 0.01  # part of the time by which two clocks may differ; quartz differs by less than 0.0002
LATENESS = 2.0  # seconds: §8.5
SLOWEST = 15 / 16  # pace of the slowest clock of a server that kept its state: §8.5
_MIN_MEASURED = 30.0  # seconds after which the pace of a server's clock can be told, to within rounding


class Epoch(NamedTuple):
    """One answer's epoch: `seconds` as the server said, at some time from `asked_at` to `heard_at` on our clock.

    Our clock must count the time for which the machine is suspended, as the server's does: else waking up would look
    like a restart.
    """

    seconds: int
    asked_at: float
    heard_at: float

    def is_continued_by(self, newer: "Epoch", pace: float = 1.0) -> bool:
        """Whether nothing says that the server lost its state between this answer and the newer one."""
        grown = newer.seconds - self.seconds
        too_slow = grown < self._passed(newer) * pace * (1 - DRIFT) - ROUNDING
        return not too_slow and not self._runs_ahead(newer)

    def is_restarted(self, newer: "Epoch") -> bool:
        """Whether the server has lost its state, as the RFC has it."""
        grown = newer.seconds - self.seconds
        return grown < self._passed(newer) * SLOWEST - LATENESS or self._runs_ahead(newer)

    def pace(self, newer: "Epoch") -> float:
        """How fast the server's clock ran from this answer to the newer one, from SLOWEST to 1."""
        passed = self._passed(newer)
        if passed < _MIN_MEASURED:
            return 1.0
        return min(max((newer.seconds - self.seconds) / passed, SLOWEST), 1.0)

    def _passed(self, newer: "Epoch") -> float:
        """The least time between the moments at which the server read its clock."""
        return max(newer.asked_at - self.heard_at, 0.0)

    def _runs_ahead(self, newer: "Epoch") -> bool:
        longest = newer.heard_at - self.asked_at
        return longest + LATENESS < (newer.seconds - self.seconds) * SLOWEST
