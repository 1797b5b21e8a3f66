"""A control for tests that measure time: how much slower than usual this machine does anything at all.

The control is a small process, started over and over. Its time by the clock, divided by the CPU time that it needed, is
1 where the CPU was free, and 5 where five others wanted it as well.
"""

import os
import sys
import threading
import time
from typing import Self

import pytest

EVERY = 0.4  # seconds
TOO_BUSY = 4.0  # a limit of one second would be one of four: nothing is learnt about the program
_SLACK = 0.01  # seconds: that a process needs to start and to be waited for, beside CPU time


class Slowdown:
    """A context manager: measures on a thread of its own while it lasts."""

    def __enter__(self) -> Self:
        self._samples: list[tuple[float, float]] = []  # when it ended, slowdown
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._measure, name="slowdown")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def since(self, moment: float) -> float:
        """The worst slowdown since this moment of time.monotonic(), 1 at the least."""
        return max((slowdown for ended, slowdown in list(self._samples) if ended >= moment), default=1.0)

    def judge(self, what: str, seconds: float, limit: float, since: float) -> None:
        """Fail where it took longer than the limit multiplied by the slowdown since then."""
        if seconds > limit * min(self.since(since), TOO_BUSY):
            self.excuse(f"{what} took {seconds:.2f} s, and {limit} s are allowed", since)

    def excuse(self, complaint: str, since: float) -> None:
        """Fail with the complaint, or, where the machine is too busy to judge, skip with the control's figure."""
        slowdown = self.since(since)
        if slowdown > TOO_BUSY:
            pytest.skip(f"not judged: the machine is too busy (control {slowdown:.0f} x slower than idle): {complaint}")
        pytest.fail(f"{complaint} (control {slowdown:.1f} x slower than idle)")

    def _measure(self) -> None:
        while not self._over.wait(EVERY):
            self._samples.append((time.monotonic(), _one_start()))


def _one_start() -> float:
    begun = time.monotonic()
    child = os.posix_spawn(sys.executable, [sys.executable, "-I", "-S", "-c", ""], os.environ)
    _, _, used = os.wait4(child, 0)
    took = time.monotonic() - begun
    return max(1.0, (took - _SLACK) / (used.ru_utime + used.ru_stime))
