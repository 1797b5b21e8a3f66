"""Time that jumps where the loop would sleep, and runs where it really waits: hours in seconds, with real sockets.

Loop, backend and router use the same clock. Before each jump the table is read, and it is known when each of its
entries ends: so a gap is measured to the second, not sampled.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import inf
from typing import TypeAlias

from portmap.loop.inbox import Inbox, Message, NetworkAlert, Stop

Scene: TypeAlias = tuple[float, Callable[[], object]]
"""(second of the story, what happens then: if it is a message, the loop gets it)."""
Look: TypeAlias = Callable[[], float]
"""When what is open now will be shut; -inf where nothing is open."""


@dataclass(slots=True)
class Gaps:
    """When a port was shut that should be open, from `since` on; inf: from its first opening on. Seconds of a story."""

    since: float = inf  # when the present gap began, or will begin
    _over: list[tuple[float, float]] = field(default_factory=list)
    _now: float = 0.0

    def passes(self, now: float, until: float, ends: float) -> None:
        """Time goes by from `now` to `until`; what is open ends at `ends`."""
        if ends > now:
            if self.since < now:
                self._over.append((self.since, now))
            self.since = ends
        elif self.since < inf:
            self.since = min(self.since, now)
        self._now = until

    @property
    def all(self) -> list[tuple[float, float]]:
        """Every gap, from and until when."""
        return self._over + [(self.since, self._now)] * (self.since < self._now)

    @property
    def longest(self) -> float:
        """Seconds of the longest."""
        return max((end - start for start, end in self.all), default=0.0)


class JumpingInbox(Inbox):
    """The loop's inbox for a story, on a clock that begins at 0. Call `tell` before the loop runs."""

    def __init__(self) -> None:
        self._jumped = -time.monotonic()
        super().__init__(clock=lambda: time.monotonic() + self._jumped)
        self._scenes: list[Scene] = []
        self._look: Look = lambda: -inf
        self.gaps = Gaps()

    def tell(self, scenes: Iterable[Scene], span: float, look: Look) -> None:
        """A story of `span` seconds; a Stop ends it. `look` is asked before each leap."""
        self._scenes = sorted([*scenes, (span, Stop)], key=lambda scene: scene[0])
        self._look = look

    def next(self, until: float) -> Message | None:
        """The next message; None at `until`, to which the clock leaps, but for what happens on the way."""
        while not self._messages:
            self._jump(min(max(until, self.now()), self._due()))
            if self.now() < self._due():
                return None
            _, happen = self._scenes.pop(0)
            happened = happen()
            if isinstance(happened, Message):
                self.put(happened)
        return super().next(-inf)

    def sleep(self, seconds: float) -> Message:
        """The machine is suspended: time goes by, and nothing is done."""
        self._jump(self.now() + seconds)
        return NetworkAlert(f"the machine was suspended for {seconds} s")

    def _due(self) -> float:
        return self._scenes[0][0] if self._scenes else inf

    def _jump(self, wake_at: float) -> None:
        now = self.now()
        if wake_at > now:
            self.gaps.passes(now, wake_at, self._look())
            self._jumped += wake_at - now
