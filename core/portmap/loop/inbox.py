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

POLL_INTERVAL = 5.0  # seconds; a wait does not count a suspended machine's time, so it is looked up as often
SUSPEND_THRESHOLD = 1.0  # seconds; less is no sleep but two clocks read one after the other

_BOOTTIME: int | None = getattr(time, "CLOCK_BOOTTIME", None)  # Linux 2.6.39


@dataclass(frozen=True, slots=True)
class Register:
    """Please keep this port open from now on."""

    request: PortRequest


@dataclass(frozen=True, slots=True)
class Unregister:
    """Please let this mapping go."""

    key: Key


@dataclass(frozen=True, slots=True)
class GatewayAlert:
    """The gateway may have forgotten us."""

    reason: str


@dataclass(frozen=True, slots=True)
class NetworkAlert:
    """Something changed on our own side: link, address, route, or time itself. The gateway may be another one."""

    reason: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Clean up and end."""


Message: TypeAlias = Register | Unregister | GatewayAlert | NetworkAlert | Stop


class Interrupted(Exception):
    """A wait ended early because a stop is waiting in the inbox."""


def boottime() -> float:
    """Seconds that never jump, and that go on while the machine is suspended, where the system counts those."""
    return time.clock_gettime(_BOOTTIME) if _BOOTTIME is not None else time.monotonic()


class Inbox:
    """What the loop sees of the world outside its thread. `clock`: seconds that never jump, as leases run on it.

    `beat`: when the loop was last seen here, on the monotonic clock; it comes by every `TICK` seconds, calls aside.
    """

    def __init__(self, clock: Callable[[], float] = boottime) -> None:
        self._clock = clock
        self._asleep = self._clock() - time.monotonic()
        self.last_seen = time.monotonic()
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
        """The next message; None when there was none by `until`. Having been suspended is a message, too."""
        with self._changed:
            self.last_seen = time.monotonic()
            while not self._messages and (left := until - self._clock()) > 0:
                self.last_seen = time.monotonic()
                self._changed.wait(min(left, POLL_INTERVAL))
                self._notice_sleep()
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

    def _notice_sleep(self) -> None:
        asleep = self._clock() - time.monotonic()
        if asleep - self._asleep > SUSPEND_THRESHOLD:
            self._messages.append(NetworkAlert(f"the machine was suspended for {asleep - self._asleep:.0f} s"))
        self._asleep = asleep
