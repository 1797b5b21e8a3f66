"""A stopwatch with a control beside it, for tests that judge time.

The control is the kernel's account of how long the threads of a process were ready to run and waited for a CPU that
others had (schedstat in proc(5)): that time is not the program's. Where there is no such account, all time counts.
"""

import time
from contextlib import suppress
from pathlib import Path
from typing import Self


class Stopwatch:
    """A context manager. Afterwards `elapsed` is the time by the clock, `withheld` what other processes took of it.

    `pid`: the process that is judged, this one by default; of one that has ended, as long as it is not waited for.
    """

    elapsed = 0.0
    withheld = 0.0

    def __init__(self, pid: int | None = None) -> None:
        self._threads = Path("/proc", "self" if pid is None else str(pid), "task")

    def __enter__(self) -> Self:
        self._waited = _waited(self._threads)
        self._began = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self.elapsed = time.monotonic() - self._began
        self.withheld = sum(waited - self._waited.get(thread, 0.0) for thread, waited in _waited(self._threads).items())

    @property
    def seconds(self) -> float:
        """What was measured took so long, as far as the machine let it run."""
        return max(0.0, self.elapsed - self.withheld)


def _waited(threads: Path) -> dict[str, float]:
    """By thread, the seconds that it has waited for a CPU; a thread that has ended is not in it."""
    waited: dict[str, float] = {}
    for thread in threads.glob("*/schedstat"):
        with suppress(OSError):  # it has ended
            waited[thread.parent.name] = int(thread.read_text().split()[1]) / 1e9
    return waited
