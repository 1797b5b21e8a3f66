"""SIGINT and SIGTERM, heard without fail.

Law: Python runs a signal's handler in the main thread, between two instructions; a main thread that is about to block
may miss it for as long as it blocks (seen once in some twenty starts under load). So the bytes that the C handler
writes to a wake-up socket are read by a thread of ours, and the main thread may block as it likes.
"""

import os
import signal
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Ending:
    """While it lasts, the first signal calls `stop`, in a thread of its own; a second one ends the process at once."""

    def __init__(self, stop: Callable[[], object]) -> None:
        self._stop = stop
        self._before: dict[signal.Signals, Any] = {}
        self._ear, self._mouth = socket.socketpair()
        self._mouth.setblocking(False)

    def __enter__(self) -> Self:
        threading.Thread(target=self._listen, name="portmap signals", daemon=True).start()
        self._fd_before = signal.set_wakeup_fd(self._mouth.fileno(), warn_on_full_buffer=False)
        for number in SIGNALS:
            self._before[number] = signal.signal(number, _heard)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._fd_before)
        self._mouth.close()

    def _listen(self) -> None:
        with self._ear:
            asked = False
            while number := self._ear.recv(1):
                if number[0] not in SIGNALS:
                    continue  # somebody else's handler
                if asked:
                    os._exit(128 + number[0])  # as the shell says it; no cleaning up: it was asked for twice
                asked = True
                self._stop()


def _heard(*_: object) -> None:
    """Nothing is left to do in the main thread; without a handler of Python's the signal would end the process."""
