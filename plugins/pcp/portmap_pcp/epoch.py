"""Has the server lost its state? RFC 6887 §8.5.

Law: pure; time arrives as an argument. Every answer carries the server's epoch, the number of seconds since it began
to keep its state. Our clock and the server's may differ by a sixteenth; more, or a step back, is a server that has
restarted, or whose external address is another one, and that has forgotten us.
"""

from dataclasses import dataclass

LATENESS = 2.0  # seconds that answers may be late: §8.5
STEP_BACK = 1  # seconds that the epoch may go back, where answers overtake each other: §8.5
ROUNDING = 1.0  # seconds that are lost because an epoch is a whole number
_DRIFT = 1 / 16  # §8.5


@dataclass(frozen=True, slots=True)
class Epoch:
    """One answer's epoch: `seconds` as the server said, `heard_at` on our own clock.

    That clock must count the time for which the machine is suspended, as the server's does: else waking up looks
    like a restart.
    """

    seconds: int
    heard_at: float

    def is_continued_by(self, newer: "Epoch") -> bool:
        """Whether the server kept its state from this answer to the newer one: the rule of §8.5."""
        return newer.seconds + STEP_BACK >= self.seconds and self._agrees(newer, LATENESS)

    def is_surely_continued_by(self, newer: "Epoch") -> bool:
        """The same of an answer that was neither late nor overtaken: only rounding is tolerated."""
        return newer.seconds >= self.seconds and self._agrees(newer, ROUNDING)

    def _agrees(self, newer: "Epoch", tolerance: float) -> bool:
        server, client = newer.seconds - self.seconds, newer.heard_at - self.heard_at
        return client + tolerance >= server * (1 - _DRIFT) and server + tolerance >= client * (1 - _DRIFT)
