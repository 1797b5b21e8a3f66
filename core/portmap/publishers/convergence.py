"""What one publisher is to be told next, and when.

Law: pure, as `portmap.loop.lease`: `now` (seconds that never jump) and `spread` (uniform in 0..1) are arguments. The
promises: what is wanted is always the newest state, older ones are never replayed; a new state is tried at once,
whatever the back-off says; a state that did not take is tried again until it did; one that took is left alone, but for
a re-assertion.
"""

from dataclasses import dataclass, field, replace
from math import inf

from portmap.endpoints import Endpoints


@dataclass(frozen=True, slots=True)
class RetrySchedule:
    """All in seconds. `every`: how long a state that took is left alone; for ever, where the publisher does not say."""

    settle: float = 0.1  # what happens together (address, ports, record) is told together
    first: float = 1.0  # after the first failure, doubling
    last: float = 300.0  # between two tries at the most
    patience: float = 3600.0  # the longest that a target may ask us to wait
    every: float = inf


@dataclass(frozen=True, slots=True)
class Convergence:
    """`wanted`: the newest state, None before the first word. `taken`: what the publisher last made true, if it did.

    `again`: the publisher shall do all of it, also what it did already. The rest are moments at which to act: `soon`
    for what was never tried, `retry_at` for what failed, `every_at` for what took; and none of them `not_before` the
    target wants to hear from us.
    """

    pace: RetrySchedule = field(default_factory=RetrySchedule)
    wanted: Endpoints | None = None
    taken: Endpoints | None = None
    again: bool = False
    failures: int = 0
    soon: float = inf
    retry_at: float = inf
    every_at: float = inf
    not_before: float = -inf

    @property
    def due(self) -> float:
        """When to act; never, while there is nothing to do."""
        return max(min(self.soon, self.retry_at, self.every_at), self.not_before)

    def want(self, state: Endpoints, now: float) -> "Convergence":
        """A state that holds now."""
        if state == self.wanted:
            return self
        done = state == self.taken and not self.again
        return replace(self, wanted=state, soon=inf if done else min(self.soon, now + self.pace.settle))

    def want_again(self, now: float) -> "Convergence":
        """On demand: do all of it again, now, whatever the target asked for."""
        if self.wanted is None:
            return self
        return replace(self, soon=now, again=True, not_before=-inf)

    def closing(self, now: float) -> "Convergence":
        """The end is near: what was never tried is due now, and nothing else ever is."""
        soon = now if self.soon < inf else inf
        return replace(self, soon=soon, retry_at=inf, every_at=inf, not_before=-inf)

    def started(self) -> "Convergence":
        """The publisher is being told what is wanted. What is heard from now on is for the next time."""
        return replace(self, soon=inf, retry_at=inf, every_at=inf, again=False)

    def succeeded(self, state: Endpoints, now: float) -> "Convergence":
        """The publisher made this state true."""
        done = state == self.wanted and not self.again
        return replace(
            self,
            taken=state,
            failures=0,
            soon=inf if done else self.soon,
            every_at=now + self.pace.every,
            not_before=-inf,
        )

    def failed(self, now: float, spread: float, *, again: bool = False, retry_after: float = 0.0) -> "Convergence":
        """It did not; how much of it took, nobody knows. What came meanwhile is tried at once all the same."""
        delay = min(self.pace.first * 2.0 ** min(self.failures, 16), self.pace.last) * (1 - spread / 4)
        peace = min(retry_after, self.pace.patience)
        return replace(
            self,
            taken=None,
            again=self.again or again,
            failures=self.failures + 1,
            retry_at=now + delay,
            not_before=now + peace if peace > 0 else -inf,
        )
