"""RateLimiter: a pause after each burst of mappings.

A pause that has passed by itself costs nothing. Some home routers crash under a long series of SOAP calls
(go-ethereum#21370; geth waits 200 ms after each); some dozens do no harm.
"""

import time
from collections.abc import Callable

BURST = 25  # mappings; each is about three SOAP calls
PAUSE = 0.2  # seconds


class RateLimiter:
    """After each `burst` steps without a pause of `pause` seconds between two of them, one is made."""

    def __init__(
        self,
        pause: float = PAUSE,
        burst: int = BURST,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._pause = pause
        self._burst = burst
        self._clock = clock
        self._sleep = sleep
        self._steps = 0
        self._quiet_since = -pause

    def before_call(self) -> None:
        """A step is about to be made: wait, if it is time for a pause."""
        quiet = self._clock() - self._quiet_since
        if quiet < self._pause and self._steps >= self._burst:
            self._sleep(self._pause - quiet)
            quiet = self._pause
        self._steps = 1 if quiet >= self._pause else self._steps + 1

    def after_call(self) -> None:
        """The step is made."""
        self._quiet_since = self._clock()
