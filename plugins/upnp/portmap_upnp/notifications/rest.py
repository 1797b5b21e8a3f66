"""Rest: how long no announcement is looked at, once one has led to a question to the gateway. Pure.

Any host of the network can forge an announcement. So the rest doubles where questions in a row find nothing new.
"""

from math import inf
from typing import NamedTuple

SHORTEST = 1.0  # seconds between two questions, and between two alerts
LONGEST = 60.0  # seconds
IN_A_ROW = 2 * LONGEST  # seconds; a question that comes later begins a new row
_MOST = 16  # doublings: more than the longest rest needs, and far from an overflow


class Rest(NamedTuple):
    """A value; each question gives the next one.

    `doublings`: of the shortest rest. `vain_at`: when a question last found nothing new, on the monotonic clock.
    """

    doublings: int = 0
    vain_at: float = -inf

    @property
    def seconds(self) -> float:
        """How long the rest is."""
        return min(SHORTEST * 2.0 ** min(self.doublings, _MOST), LONGEST)

    def longer(self, now: float) -> "Rest":
        """After a question that found nothing new; after any other one the rest is the shortest."""
        in_a_row = now - self.vain_at < IN_A_ROW
        return Rest(self.doublings + 1 if in_a_row else 1, now)
