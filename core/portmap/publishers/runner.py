"""PublisherRunner: one publisher on a thread of its own, so that a slow or broken publisher harms only itself.

Rules:
- `handle` never blocks, and no lock is held during a call of the publisher;
- what a publisher raises is logged with its name, once a reason, and goes no further;
- `portmap.publishers.convergence` decides which state is published, and when.
"""

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf
from typing import Any, TypeAlias

from portmap.endpoints import Endpoints
from portmap.errors import PluginError, PortmapError, Refused
from portmap.events import Event, PublisherEvent
from portmap.hookspecs import PUBLISHERS
from portmap.loading.catalog import Catalogue, validate_hooks
from portmap.loading.construct import construct
from portmap.node.local_node import Record
from portmap.publishers.convergence import Convergence, RetrySchedule
from portmap.publishers.health import PublisherHealth
from portmap.syntax.plugin_specs import parse_spec

BACKLOG = 10_000  # events kept for a publisher that hangs; of more, it misses the oldest
SHOWN_PORTS = 5  # in "has 8080, 8081, ..."; the rest is a number
MAX_WORDS = 200  # characters of what a publisher says that its target has

HealthListener: TypeAlias = Callable[[PublisherEvent], object]

_log = logging.getLogger("portmap.publishing")


@dataclass(frozen=True, slots=True)
class _SignTask:
    """A record to sign, and who gets the text."""

    record: Record
    then: Callable[[str], None]


_CONVERGE = object()
_Task: TypeAlias = Event | _SignTask | object


class PublisherRunner:
    """One publisher at work. Every method may be called from any thread."""

    def __init__(self, publisher: Any, name: str, schedule: RetrySchedule | None = None) -> None:
        self.name = name
        self._hook = validate_hooks(publisher, PUBLISHERS, name).hook
        self.signs = bool(self._hook.sign_record.get_hookimpls())
        self._streams = bool(self._hook.on_event.get_hookimpls())
        self._converges = bool(self._hook.converge.get_hookimpls())
        self._listener: HealthListener | None = None
        self._changed = threading.Condition()
        self._tasks: deque[_Task] = deque(maxlen=BACKLOG)
        self._endpoints = Endpoints()
        self._plan = Convergence(schedule or _retry_schedule(publisher, name))
        self._health = PublisherHealth(_display_name(publisher, name))
        self._has = ""
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=f"portmap {name}", daemon=True)
        self._thread.start()

    @property
    def status(self) -> PublisherHealth:
        """How the publisher fares."""
        with self._changed:
            return self._health

    def on_health_event(self, listener: HealthListener) -> None:
        """Set who is told when the health changes. It is called in the publisher's thread."""
        self._listener = listener

    def handle(self, event: Event) -> None:
        """Pass an event on, and have the publisher publish the state that follows from it."""
        if isinstance(event, PublisherEvent):
            return
        with self._changed:
            if self._streams:
                self._tasks.append(event)
            if self._converges:
                self._endpoints = self._endpoints.after(event)
                self._plan = self._plan.want(self._endpoints, time.monotonic())
            self._changed.notify_all()

    def reassert(self) -> None:
        """Have the publisher repeat all of it now: the target may have lost it."""
        with self._changed:
            self._plan = self._plan.publish_again(time.monotonic())
            self._changed.notify_all()

    def sign(self, record: Record, then: Callable[[str], None]) -> None:
        """Have the record signed; `then` is called with the text, which is empty if that failed."""
        with self._changed:
            self._tasks.append(_SignTask(record, then))
            self._changed.notify_all()

    def close(self) -> None:
        """No more work will come. A state that was never tried is tried once; one that failed is not tried again."""
        with self._changed:
            self._closing = True
            self._plan = self._plan.closing(time.monotonic())
            self._changed.notify_all()

    def join(self, timeout: float) -> None:
        """Wait for the work that is left, at most `timeout` seconds."""
        self._thread.join(timeout)
        if self._thread.is_alive():
            _log.warning("%s is still busy and is left behind", self.name)

    # In the publisher's thread.

    def _run(self) -> None:
        while (task := self._next_task()) is not None:
            match task:
                case Event():
                    self._stream(task)
                case _SignTask():
                    task.then(self._signed(task.record))
                case _:
                    self._converge()

    def _next_task(self) -> _Task | None:
        """Wait for something to do: queued tasks first, then the state that is due; None at the end."""
        with self._changed:
            while True:
                if self._tasks:
                    return self._tasks.popleft()
                left = self._plan.due - time.monotonic()
                if left <= 0:
                    return _CONVERGE
                if self._closing:
                    return None
                self._changed.wait(None if left == inf else left)

    def _converge(self) -> None:
        with self._changed:
            state, again = self._plan.wanted, self._plan.again
            self._plan = self._plan.started(time.monotonic())
        if state is None:
            return
        words, error = self._call(lambda: self._hook.converge(state=state, again=again))
        with self._changed:
            self._plan = self._next_plan(state, again, error)
            self._has = _has(words, state) if error is None else ""
            before, self._health = self._health, self._next_health(error)
            after = self._health
        self._report(before, after, error)

    def _stream(self, event: Event) -> None:
        _, error = self._call(lambda: self._hook.on_event(event=event))
        self._finish(error)

    def _signed(self, record: Record) -> str:
        text, error = self._call(lambda: self._hook.sign_record(record=record))
        self._finish(error)
        return text if isinstance(text, str) else ""

    def _call(self, hook: Callable[[], object]) -> tuple[object, BaseException | None]:
        """Call the publisher. Returns what it returned, and what it raised."""
        with self._changed:
            self._health = replace(self._health, busy_since=time.time())
        try:
            return hook(), None
        except BaseException as raised:  # noqa: BLE001  # a plugin may raise anything
            return None, raised

    def _finish(self, error: BaseException | None) -> None:
        with self._changed:
            before, self._health = self._health, self._next_health(error)
            after = self._health
        self._report(before, after, error)

    def _next_plan(self, state: Endpoints, again: bool, error: BaseException | None) -> Convergence:
        now = time.monotonic()
        if error is None:
            plan = self._plan.succeeded(state, now)
        else:
            spread = random.random()  # noqa: S311  # jitter
            plan = self._plan.failed(now, spread, again=again, retry_after=_retry_after(error))
        return plan.closing(now) if self._closing else plan

    def _next_health(self, error: BaseException | None) -> PublisherHealth:
        """After a call. Success is success only where the target has a port, or where there is no target."""
        now = time.time()
        if error is not None:
            left = self._plan.due - time.monotonic()
            return self._health.failed(error, now).with_retry_at(None if left == inf else now + max(0.0, left))
        if self._has or not self._converges:
            return self._health.succeeded(now, self._has)
        return self._health.idle()

    def _report(self, before: PublisherHealth, after: PublisherHealth, error: BaseException | None) -> None:
        """Tell a change once: to the log, and to the listener."""
        event = after.event_since(before)
        if event is None:
            _log.debug("%s: %s", self.name, f"again: {type(error).__name__}" if error else "done")
            return
        if isinstance(error, PortmapError):
            _log.warning("%s: %s", self.name, error)
        elif error is not None:
            _log.error("%s failed", self.name, exc_info=error)
        else:
            _log.info("%s: published", self.name)
        if self._listener is not None:
            self._listener(event)


def load_publisher(spec_text: str, catalogue: Catalogue | None = None) -> PublisherRunner:
    """The publisher that a spec names, at work. Raises SpecError or PluginError."""
    spec = parse_spec(spec_text)
    plugin = (catalogue or Catalogue(PUBLISHERS)).find(spec)
    return PublisherRunner(construct(plugin.load(), spec, str(plugin)), str(plugin))


def _has(words: object, state: Endpoints) -> str:
    """What the target has, in words: the publisher's own, else the ports that it was given; empty for nothing."""
    if isinstance(words, str):
        return words[:MAX_WORDS]
    ports = list(dict.fromkeys(str(port.external_port) for port in state.ports))
    more = len(ports) - SHOWN_PORTS
    return ", ".join(ports[:SHOWN_PORTS]) + (f" and {more} more" if more > 0 else "")


def _display_name(publisher: Any, name: str) -> str:
    """How a publisher names itself, if it does."""
    try:
        title = str(publisher)
    except Exception:  # noqa: BLE001  # a plugin's __str__ may raise anything; the entry point's name will do
        return name
    return name if title == object.__repr__(publisher) else title


def _retry_schedule(publisher: Any, name: str) -> RetrySchedule:
    """The times that follow from `reassert_every`. Raises PluginError where it is no number of seconds."""
    every = getattr(publisher, "reassert_every", inf)
    if not isinstance(every, int | float) or not every > 0:
        raise PluginError(f"{name} declares reassert_every = {every!r}: give a number of seconds above 0")
    schedule = RetrySchedule(every=every)
    return replace(schedule, last=max(schedule.first, min(schedule.last, every)))


def _retry_after(error: BaseException) -> float:
    """The seconds that the target asked us to wait. A plugin set it, so it may be anything."""
    seconds: Any = error.retry_after if isinstance(error, Refused) else 0.0
    return seconds if isinstance(seconds, int | float) and seconds > 0 else 0.0
