"""Convergence: which state a publisher is called with next, and when. Pure.

`now` (seconds of a clock that never jumps) and `spread` (uniform in 0..1) are arguments.

Rules:
- the state to publish is always the newest one; older ones are never replayed;
- a new state is published at once, unless the last call failed: then it waits for the same back-off;
- a state that failed is tried again until it succeeds; one that succeeded is repeated only every `every` seconds;
- calls take tokens from a bucket, so a gateway that changes ports every second cannot cause a call a second;
- `publish_again` and `closing` are the user's will and wait for nothing.
"""

from dataclasses import dataclass, field, replace
from math import inf

from portmap.backoff import backoff
from portmap.endpoints import Endpoints


@dataclass(frozen=True, slots=True)
class RetrySchedule:
    """The times of one publisher, in seconds. `every`: how long a state that succeeded is left alone.

    `burst` calls may follow each other at once; beyond them there is one call each `refill` seconds.
    """

    settle: float = 0.1  # what happens together (address, ports, record) is published together
    first: float = 1.0  # after the first failure, doubling
    last: float = 300.0  # between two tries at most
    max_wait: float = 3600.0  # the longest that a target may ask us to wait
    every: float = inf
    burst: int = 10
    refill: float = 6.0


@dataclass(frozen=True, slots=True)
class Convergence:
    """`wanted`: the newest state, None before the first. `published`: the state that the last good call published.

    `again`: the publisher shall repeat all of it, also what it did already. The rest are times at which to act: `soon`
    for a state that was never tried, `retry_at` for one that failed, `every_at` for one that succeeded; none of them
    before `not_before`. `bucket_full_at`: when the token bucket will be full again; -inf while it is full.
    """

    schedule: RetrySchedule = field(default_factory=RetrySchedule)
    wanted: Endpoints | None = None
    published: Endpoints | None = None
    again: bool = False
    failures: int = 0
    soon: float = inf
    retry_at: float = inf
    every_at: float = inf
    not_before: float = -inf
    bucket_full_at: float = -inf

    @property
    def due(self) -> float:
        """When to call the publisher; infinity while there is nothing to do."""
        return max(min(self.soon, self.retry_at, self.every_at), self.not_before, self._next_token_at)

    @property
    def _next_token_at(self) -> float:
        """When the bucket holds a token (the generic cell rate algorithm, ITU-T I.371)."""
        return self.bucket_full_at - (self.schedule.burst - 1) * self.schedule.refill

    def want(self, state: Endpoints, now: float) -> "Convergence":
        """Publish this state next: it holds now."""
        if state == self.wanted:
            return self
        done = state == self.published and not self.again
        return replace(self, wanted=state, soon=inf if done else min(self.soon, now + self.schedule.settle))

    def publish_again(self, now: float) -> "Convergence":
        """The user asks for all of it again, now, whatever the target asked for."""
        if self.wanted is None:
            return self
        return replace(self, soon=now, again=True, not_before=-inf, bucket_full_at=-inf)

    def closing(self, now: float) -> "Convergence":
        """The session ends: a state that was never tried is due now, and nothing else ever is."""
        soon = now if self.soon < inf else inf
        return replace(self, soon=soon, retry_at=inf, every_at=inf, not_before=-inf, bucket_full_at=-inf)

    def started(self, now: float) -> "Convergence":
        """The publisher is called with the wanted state. A state that comes from now on is for the next call."""
        full_at = max(self.bucket_full_at, now) + self.schedule.refill
        return replace(self, soon=inf, retry_at=inf, every_at=inf, again=False, bucket_full_at=full_at)

    def succeeded(self, state: Endpoints, now: float) -> "Convergence":
        """The call with this state succeeded."""
        done = state == self.wanted and not self.again
        return replace(
            self,
            published=state,
            failures=0,
            soon=inf if done else self.soon,
            every_at=now + self.schedule.every,
            not_before=-inf,
        )

    def failed(self, now: float, spread: float, *, again: bool = False, retry_after: float = 0.0) -> "Convergence":
        """The call failed; how much of the state was published is not known.

        `again`: the call was to repeat all of it. `retry_after`: the seconds that the target asked us to wait.
        """
        delay = backoff(self.failures, self.schedule.first, self.schedule.last) * (1 - spread / 4)
        retry_at = now + max(delay, min(retry_after, self.schedule.max_wait))
        return replace(
            self,
            published=None,
            again=self.again or again,
            failures=self.failures + 1,
            retry_at=retry_at,
            not_before=retry_at,
        )
