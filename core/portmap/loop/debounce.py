"""Limits how often everything is asked for again: at once after the first signal, then after a pause.

The pause is a second. It doubles with each round that changed nothing and that another host can have caused, up to a
minute: an attacker who makes us doubt the gateway, with spoofed announcements for example, makes us send no more than
that. Pure.
"""

from math import inf
from typing import NamedTuple

from portmap.backoff import backoff

PAUSE = 1.0  # seconds between two rounds at the least
MAX_PAUSE = 60.0  # seconds between two rounds at the most, however many of them changed nothing


class Debounce(NamedTuple):
    """`due`: when the next round is to be made. `last`: when the last one was, `signal`: the last signal.

    `fruitless`: how many rounds in a row changed nothing, as far as is known, of those that another host can have
    caused; `forgeable`: whether the next round is one of these.
    """

    due: float = inf
    last: float = -inf
    signal: float = -inf
    fruitless: int = 0
    forgeable: bool = False

    def signalled(self, now: float, *, certain: bool = False) -> "Debounce":
        """After a signal another round is due. `certain`: no other host can cause it, and it waits at most a second."""
        fruitless = 0 if now - max(self.last, self.signal) >= MAX_PAUSE else self.fruitless
        wasted = max(fruitless - 1, 0)
        pause = PAUSE if certain else backoff(wasted, PAUSE, MAX_PAUSE)
        due, forgeable = min(self.due, self.last + pause), self.forgeable or not certain
        return self._replace(due=due, signal=now, fruitless=fruitless, forgeable=forgeable)

    def done(self, now: float) -> "Debounce":
        """The round is made; that it changed something is told by `changed`."""
        return Debounce(last=now, signal=self.signal, fruitless=self.fruitless + self.forgeable)

    def changed(self) -> "Debounce":
        """The last round had an effect: the next signal is worth as much as the first."""
        return self._replace(fruitless=0)
