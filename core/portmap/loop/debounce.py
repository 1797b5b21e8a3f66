"""A debounce: the first signal acts at once; those that follow within a second act once, together, at its end.

Law: pure; time is an argument.
"""

from dataclasses import dataclass, replace
from math import inf

PAUSE = 1.0  # seconds between two rounds at the least


@dataclass(frozen=True, slots=True)
class Debounce:
    """`until`: no round before this. `pending`: a round is to be made."""

    until: float = -inf
    pending: bool = False

    @property
    def due(self) -> float:
        """When a round is to be made; never, while nothing was heard."""
        return self.until if self.pending else inf

    def signalled(self) -> "Debounce":
        """A signal: a round is to be made, as soon as it may be."""
        return replace(self, pending=True)

    def done(self, now: float) -> "Debounce":
        """The round is made."""
        return Debounce(until=now + PAUSE)
