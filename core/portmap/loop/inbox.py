"""Messages and time for the thread of a path. The loop has both from here only.

Rules:
- The loop's thread owns all state and reads here. Other threads only put messages.
- The loop never asks the system for the time: it asks `now`, and sleeps in `next`.
- A Stop in the inbox interrupts every wait at once.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from math import inf
from typing import Any, NamedTuple, TypeAlias

from portmap.model import Key, PortRequest
from portmap.reachability.repair_step import RepairStep
from portmap.wire.clock import boottime

POLL_INTERVAL = 5.0  # seconds; a wait does not count the time of a suspended machine, so the clock is read as often
SUSPEND_THRESHOLD = 1.0  # seconds; less is no suspension but two clocks read one after the other


class Register(NamedTuple):
    """Keep this port open from now on."""

    request: PortRequest


class Unregister(NamedTuple):
    """Close this port."""

    key: Key


class GatewayAlert(NamedTuple):
    """The gateway may have forgotten us. `certain`: when we asked for a mapping, it had none."""

    reason: str
    certain: bool = False


class NetworkAlert(NamedTuple):
    """Link, address or route changed on our side, or the machine was suspended. The gateway may be another one.

    `certain`: no other host can cause it, as any on the link can by router advertisements (RFC 4861 §6.3.4).
    """

    reason: str
    certain: bool = True


class Recheck(NamedTuple):
    """The session's other path, or another portmap of this host, did something: ask for everything again.

    No other host can cause more of these than the other path asks for everything again itself.
    """

    reason: str


class Repair(NamedTuple):
    """A proof from outside failed: the mapping is listed, and forwards nothing. Take this step."""

    key: Key
    step: RepairStep


@dataclass(frozen=True, slots=True)
class Stop:
    """Delete what is held, and end."""


Message: TypeAlias = Register | Unregister | GatewayAlert | NetworkAlert | Recheck | Repair | Stop


class Interrupted(Exception):
    """A wait ended early because a stop is waiting in the inbox."""


class Inbox:
    """What a path sees of the world outside its thread. `clock`: seconds that never jump; leases run on it.

    `last_seen`: when the path last read here, on the monotonic clock. It reads every POLL_INTERVAL, calls aside.
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
        """Add a message. Any thread."""
        with self._changed:
            self._messages.append(message)
            self._changed.notify_all()

    def next(self, until: float) -> Message | None:
        """The next message, None when there was none by `until`. That the machine was suspended is a message, too."""
        with self._changed:
            self.last_seen = time.monotonic()
            while not self._messages and (left := until - self._clock()) > 0:
                self.last_seen = time.monotonic()
                self._changed.wait(min(left, POLL_INTERVAL))
                self._notice_sleep()
            return self._messages.popleft() if self._messages else None

    def next_or_settle(self, due: float, on_settled: Callable[[], None]) -> Message | None:
        """The next message, None when something is due. Before sleeping, what was told so far is settled."""
        message = self.next(-inf)
        if message is None and due > self.now():
            on_settled()
            message = self.next(due)
        return message

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
