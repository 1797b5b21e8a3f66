"""Reactor: the one daemon thread that owns a simulated router, with its sockets, its timers and all its state.

Every handler, timer and tick runs on this thread, one at a time, so there is no lock; other threads hand in a call with
`run` and wait for its result. Delays are real seconds, whatever clock the leases run on.
"""

import contextlib
import heapq
import itertools
import math
import selectors
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")
READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
Ready = Callable[[int], None]


class Reactor:
    """Waits for sockets and timers. `tick` is called before each wait and says how long that may take, in seconds."""

    def __init__(self, name: str, tick: Callable[[], float]) -> None:
        self._tick = tick
        self._selector = selectors.DefaultSelector()
        self._wakeup: tuple[socket.socket, socket.socket] | None = None  # written to by others, read here
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._calls: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._stopping = False
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)

    def start(self) -> None:
        """Begin; until then nothing that is watched is served."""
        self._wakeup = socket.socketpair()
        self.watch(self._wakeup[1], READ, self._drain)
        self._thread.start()

    def watch(self, sock: socket.socket, events: int, ready: Ready) -> None:
        """Call `ready(events)` whenever the socket is; no events at all: leave it alone for now."""
        with contextlib.suppress(KeyError):
            self._selector.unregister(sock)
        if events:
            self._selector.register(sock, events, ready)

    def discard(self, sock: socket.socket) -> None:
        """Watch the socket no longer, and close it."""
        self.watch(sock, 0, _ignore)
        sock.close()

    def later(self, delay: float, call: Callable[[], None]) -> None:
        """Call in so many seconds, at once for none."""
        if delay <= 0:
            call()
        else:
            heapq.heappush(self._timers, (time.monotonic() + delay, next(self._numbers), call))

    def run(self, call: Callable[[], T]) -> T:
        """The result of the call, made on the reactor's thread; before its start and after its end, made here."""
        if self._wakeup is None or threading.current_thread() is self._thread or not self._thread.is_alive():
            return call()
        answer: Future[T] = Future()
        self._calls.put(lambda: _settle(answer, call))
        self._wakeup[0].send(b"!")
        return answer.result()

    def close(self) -> None:
        """End the thread. Discard the sockets before. Closing twice is harmless."""
        self.run(self._stop)
        if self._thread.is_alive():
            self._thread.join()
        self._shut()

    def _stop(self) -> None:
        self._stopping = True

    def _main(self) -> None:
        while not self._stopping:
            self._round()

    def _round(self) -> None:
        for key, events in self._selector.select(self._timeout()):
            if self._selector.get_map().get(key.fd) is key:  # an earlier handler may have closed it
                key.data(events)
        while self._timers and self._timers[0][0] <= time.monotonic():
            heapq.heappop(self._timers)[2]()

    def _timeout(self) -> float | None:
        """Seconds until the next tick or timer; None for no end."""
        due = self._timers[0][0] - time.monotonic() if self._timers else math.inf
        timeout = min(due, self._tick())
        return None if math.isinf(timeout) else max(0.0, timeout)

    def _drain(self, _events: int) -> None:
        if self._wakeup is not None:
            self._wakeup[1].recv(4096)
        while not self._calls.empty():
            self._calls.get()()

    def _shut(self) -> None:
        self._selector.close()
        for sock in self._wakeup or ():
            sock.close()


def _ignore(_events: int) -> None:
    """The handler of a socket that is not watched."""


def _settle(answer: Future[T], call: Callable[[], T]) -> None:
    try:
        answer.set_result(call())
    except Exception as error:  # noqa: BLE001  # it belongs to the thread that waits, and is raised there
        answer.set_exception(error)
