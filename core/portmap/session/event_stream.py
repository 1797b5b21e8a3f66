"""EventStream: a session's events, for any number of readers at any pace.

Putting an event in never blocks. A late reader gets the last `BACKLOG` events first; a slow reader delays no other.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import TypeAlias

from portmap.events import Event

Subscriber: TypeAlias = Callable[[Event | None], None]
"""Gets each event, and None at the end."""

BACKLOG = 1000  # events kept for a listener that comes late


class EventStream:
    """Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._backlog: deque[Event] = deque(maxlen=BACKLOG)
        self._subscribers: list[Subscriber] = []
        self._ended = False

    def publish(self, event: Event) -> None:
        """Pass an event on to all readers, present and future."""
        with self._lock:
            self._backlog.append(event)
            for subscriber in self._subscribers:
                subscriber(event)

    def close(self) -> None:
        """No more events will come. A second time does nothing."""
        with self._lock:
            if not self._ended:
                self._ended = True
                for subscriber in self._subscribers:
                    subscriber(None)

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call it with every event from the start (the last thousand of them), and with None at the end.

        It is called in the thread of the event, and must neither block nor raise. Returns what ends the subscription.
        """
        with self._lock:
            for event in self._backlog:
                subscriber(event)
            if self._ended:
                subscriber(None)
            self._subscribers.append(subscriber)
        return lambda: self._unsubscribe(subscriber)

    def _unsubscribe(self, subscriber: Subscriber) -> None:
        with self._lock:
            self._subscribers.remove(subscriber)

    def events(self, timeout: float | None = None) -> Iterator[Event]:
        """Every event from the start (the last thousand of them) to the end; blocks in between.

        With `timeout` it ends once no event came for so many seconds.
        """
        queue: SimpleQueue[Event | None] = SimpleQueue()
        unsubscribe = self.subscribe(queue.put)
        try:
            while (said := queue.get(timeout=timeout)) is not None:
                yield said
        except Empty:
            return
        finally:
            unsubscribe()
