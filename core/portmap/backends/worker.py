"""Worker: one thread that runs jobs in order.

The thread is a daemon and ends with its worker: a job that hangs delays neither other threads nor the process's exit.
"""

import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeAlias, TypeVar

from portmap.loading.time_limit import complete

T = TypeVar("T")
_Job: TypeAlias = tuple["Future[Any]", Callable[[], Any]] | None


class Worker:
    """The thread, started with its first job; `name` is what it is called."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: SimpleQueue[_Job] = SimpleQueue()
        self._thread: threading.Thread | None = None
        weakref.finalize(self, self._jobs.put, None)

    def submit(self, work: Callable[[], T]) -> "Future[T]":
        """Have it done after all that was submitted before; the future holds what it returns or raises."""
        if self._thread is None:
            self._thread = threading.Thread(target=_work, args=(self._jobs,), name=self._name, daemon=True)
            self._thread.start()
        call: Future[T] = Future()
        self._jobs.put((call, work))
        return call


def _work(jobs: "SimpleQueue[_Job]") -> None:
    while (job := jobs.get()) is not None:
        complete(*job)
        del job  # a waiting thread shall keep nothing alive
