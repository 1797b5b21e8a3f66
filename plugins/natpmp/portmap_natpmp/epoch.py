"""Has the gateway lost its state? RFC 6886 §3.6.

Law: pure; time arrives as an argument. Every answer carries the gateway's epoch, the number of seconds since it began
to keep its state. A gateway whose epoch is younger than it must be by now has restarted, and has forgotten us.
"""

from dataclasses import dataclass

_SLOWEST = 7 / 8  # a gateway's clock may run that slow before we call it restarted
LATENESS = 2.0  # seconds that an honest answer may be late
ROUNDING = 1.0  # seconds that are lost because an epoch is a whole number


@dataclass(frozen=True, slots=True)
class Epoch:
    """One answer's epoch: `seconds` as the gateway said, `heard_at` on our monotonic clock.

    A monotonic clock may stand still while the machine sleeps. That makes us expect too little, which is harmless;
    a wall clock set forward would make us expect too much, a restart that never was.
    """

    seconds: int
    heard_at: float

    def expected_at(self, now: float) -> float:
        """The least that the gateway's clock must have reached by now."""
        return self.seconds + (now - self.heard_at) * _SLOWEST

    def is_continued_by(self, newer: "Epoch", tolerance: float = LATENESS) -> bool:
        """Whether the gateway kept its state from this answer to the newer one.

        `tolerance`, in seconds, is for answers that may be late; at least ROUNDING is needed.
        """
        return newer.seconds >= self.expected_at(newer.heard_at) - tolerance
