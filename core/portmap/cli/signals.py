"""Signals, heard without fail.

Python runs a signal's handler in the main thread, between two instructions; a main thread that is about to block
may miss it for as long as it blocks (seen once in some twenty starts under load). So the bytes that the C handler
writes to a wake-up socket are read by a thread of ours, and the main thread may block as it likes.
"""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Any, Self

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
REPEATED = 0.5  # seconds
HANGUP_SIGNALS = (signal.SIGHUP,) if hasattr(signal, "SIGHUP") else ()


class SignalListener:
    """While it lasts, `heard` is called with the number of each of these signals, in a thread of its own."""

    def __init__(self, numbers: Collection[int], heard: Callable[[int], object]) -> None:
        self._numbers = tuple(numbers)
        self._tell = heard
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        receiver, self._sender = socket.socketpair()
        self._sender.setblocking(False)
        threading.Thread(target=self._listen, args=(receiver,), name="portmap signals", daemon=True).start()
        self._fd_before = signal.set_wakeup_fd(self._sender.fileno(), warn_on_full_buffer=False)
        for number in self._numbers:
            self._before[number] = signal.signal(number, _handled)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._fd_before)
        self._sender.close()

    def _listen(self, receiver: socket.socket) -> None:
        with receiver:
            while byte := receiver.recv(1):
                if byte[0] in self._numbers:  # else another handler's
                    self._tell(byte[0])


def hangup_means_reload() -> bool:
    """Whether SIGHUP asks for the configuration to be read again, rather than says that the terminal is gone.

    A service manager sends it to ask for that; so does a user, where the process has no terminal.
    """
    return bool(os.environ.get("NOTIFY_SOCKET") or os.environ.get("INVOCATION_ID")) or not _has_terminal()


class StopSignals(SignalListener):
    """While it lasts, the first SIGINT, SIGTERM or SIGHUP calls `stop`; a second one ends the process at once.

    With `reload`, SIGHUP calls that instead, unless it says that the terminal is gone. What is to be called may be
    named later, by `set_handlers`: a signal that came before is not lost. SIGHUP is left alone where it is ignored, as
    under nohup; a second one is ignored, because the shell sends one after the kernel's. Any signal is ignored within
    `REPEATED` after the first: timeout(1) sends one to its child, and one to its process group, which has the child in
    it.
    """

    def __init__(
        self,
        stop: Callable[[], object] | None = None,
        reload: Callable[[], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        heeded = [number for number in HANGUP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        super().__init__((*STOP_SIGNALS, *heeded), self._heard)
        self._stop = stop
        self._reload = reload
        self._reloads = hangup_means_reload()
        self._clock = clock
        self._asked_at: float | None = None
        self._lock = threading.Lock()

    @property
    def stop_requested(self) -> bool:
        """Whether the end was asked for."""
        return self._asked_at is not None

    def set_handlers(self, stop: Callable[[], object], reload: Callable[[], object] | None = None) -> None:
        """Set what is to be called; `stop` is called at once if a signal asked for it before."""
        with self._lock:
            self._stop, self._reload = stop, reload
            asked = self.stop_requested
        if asked:
            stop()

    def _heard(self, number: int) -> None:
        hangup = number in HANGUP_SIGNALS
        if hangup and self._reloads and self._reload is not None:
            self._reload()
            return
        now = self._clock()
        with self._lock:
            first, stop = self._asked_at, self._stop
            self._asked_at = now if first is None else first
        if first is not None and (hangup or now - first < REPEATED):
            return
        if first is not None:
            os._exit(128 + number)  # as the shell says it; no cleaning up: it was asked for twice
        if stop is not None:
            stop()


def _has_terminal() -> bool:
    """Whether the process has a controlling terminal."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | getattr(os, "O_NOCTTY", 0)))
    except OSError:
        return False
    return True


def _handled(*_: object) -> None:
    """Nothing is left to do in the main thread; without a handler of Python's the signal would end the process."""
