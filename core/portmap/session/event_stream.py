"""EventStream: a session's events, for any number of readers at any pace.

Putting an event in never blocks. A late reader gets the last `BACKLOG` events first; a slow reader delays no other.
"""

import threading
from collections import deque
from collections.abc import Iterator
from queue import Empty, SimpleQueue

from portmap.events import Event

BACKLOG = 1000  # events kept for a listener that comes late


class EventStream:
    """Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._backlog: deque[Event] = deque(maxlen=BACKLOG)
        self._subscribers: list[SimpleQueue[Event | None]] = []
        self._ended = False

    def publish(self, event: Event) -> None:
        """Pass an event on to all readers, present and future."""
        with self._lock:
            self._backlog.append(event)
            for subscriber in self._subscribers:
                subscriber.put(event)

    def close(self) -> None:
        """No more events will come. A second time does nothing."""
        with self._lock:
            if not self._ended:
                self._ended = True
                for subscriber in self._subscribers:
                    subscriber.put(None)

    def subscribe(self, timeout: float | None = None) -> Iterator[Event]:
        """Every event from the start (the last thousand of them) to the end; blocks in between.

        With `timeout` it ends once no event came for so many seconds.
        """
        subscriber: SimpleQueue[Event | None] = SimpleQueue()
        with self._lock:
            for event in self._backlog:
                subscriber.put(event)
            if self._ended:
                subscriber.put(None)
            self._subscribers.append(subscriber)
        try:
            while (said := subscriber.get(timeout=timeout)) is not None:
                yield said
        except Empty:
            return
        finally:
            with self._lock:
                self._subscribers.remove(subscriber)
