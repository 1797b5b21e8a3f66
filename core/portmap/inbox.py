"""The only door for time and for other threads.

Law: one thread owns all state and reads here; every other thread only puts messages. The loop never asks the system
for the time: it asks `now`, and sleeps in `next`. A stop waiting in the inbox interrupts every wait at once.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeAlias

from portmap.model import Key, PortRequest


@dataclass(frozen=True, slots=True)
class Register:
    """Please keep this port open from now on."""

    request: PortRequest


@dataclass(frozen=True, slots=True)
class Unregister:
    """Please let this mapping go."""

    key: Key


@dataclass(frozen=True, slots=True)
class Alert:
    """The gateway may have forgotten us."""

    reason: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Clean up and end."""


Message: TypeAlias = Register | Unregister | Alert | Stop


class Interrupted(Exception):
    """A wait ended early because a stop is waiting in the inbox."""


class Inbox:
    """What the loop sees of the world outside its thread. `clock`: seconds that never jump."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._messages: deque[Message] = deque()
        self._changed = threading.Condition()

    def now(self) -> float:
        """Seconds on the inbox's clock."""
        return self._clock()

    def put(self, message: Message) -> None:
        """Leave a message, from any thread."""
        with self._changed:
            self._messages.append(message)
            self._changed.notify_all()

    def next(self, until: float) -> Message | None:
        """The next message; None when there was none by `until`."""
        with self._changed:
            self._changed.wait_for(lambda: self._messages, self._wait_time(until))
            return self._messages.popleft() if self._messages else None

    def wait(self, call: Future[Any], timeout: float) -> None:
        """Wait until the call is done or `timeout` seconds are over. Raises Interrupted when a stop comes first."""
        call.add_done_callback(self._wake)
        with self._changed:
            self._changed.wait_for(lambda: call.done() or self._stop_waits(), timeout)
            if not call.done() and self._stop_waits():
                raise Interrupted

    def _wake(self, _: Future[Any]) -> None:
        with self._changed:
            self._changed.notify_all()

    def _stop_waits(self) -> bool:
        return any(isinstance(message, Stop) for message in self._messages)

    def _wait_time(self, until: float) -> float:
        return min(max(0.0, until - self._clock()), threading.TIMEOUT_MAX)
