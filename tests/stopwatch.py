"""A stopwatch with a control beside it, for tests that judge time.

The control is a thread that sleeps and computes in turns of known length while the stopwatch runs. A turn that takes
longer, without CPU time of this process, tells how much time the machine gave to other processes.
"""

import threading
import time
from typing import Self

SLEEP = 0.005  # seconds of a turn
WORK = 0.0005  # seconds of CPU time of a turn


class Stopwatch:
    """A context manager. Afterwards `elapsed` is the time by the clock, `withheld` what other processes took of it."""

    elapsed = 0.0
    withheld = 0.0

    def __enter__(self) -> Self:
        self._over = threading.Event()
        self._control = threading.Thread(target=self._take_turns, name="stopwatch")
        self._control.start()
        self._began = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self.elapsed = time.monotonic() - self._began
        self._over.set()
        self._control.join()

    @property
    def seconds(self) -> float:
        """What was measured took so long, as far as the machine let it run."""
        return max(0.0, self.elapsed - self.withheld)

    def _take_turns(self) -> None:
        while not self._over.is_set():
            began, used, worked = time.monotonic(), time.process_time(), time.thread_time()
            time.sleep(SLEEP)
            while time.thread_time() - worked < WORK:
                pass
            self.withheld += max(0.0, time.monotonic() - began - SLEEP - (time.process_time() - used))
