"""PublisherRunner: one publisher on a thread of its own, so that a slow or broken publisher harms only itself.

Rules:
- `handle` never blocks, and no lock is held while code of the publisher's runs, that of its errors and texts included;
- what a publisher raises is logged with its name, once a reason, and goes no further;
- `portmap.publishers.convergence` decides which state is published, and when.
"""

import logging
import random
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf
from typing import Any, TypeAlias, TypeVar

from portmap.endpoints import Endpoints
from portmap.errors import PluginError
from portmap.events import Event, PublisherEvent
from portmap.hookspecs import PUBLISHERS
from portmap.loading.catalog import Catalogue, validate_hooks
from portmap.loading.construct import construct
from portmap.loading.time_limit import call_with_limit, text_of
from portmap.node.local_node import Record
from portmap.printable import printable
from portmap.publishers.convergence import Convergence, RetrySchedule
from portmap.publishers.failure import Failure, failure_of
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


T = TypeVar("T")

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
        declared = call_with_limit(lambda: _declarations(publisher, name), name)
        self._plan = Convergence(schedule or declared[1])
        self._health = PublisherHealth(declared[0])
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
        words, error = self._call(lambda: _words(self._hook.converge(state=state, again=again)))
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
        text, error = self._call(lambda: _text(self._hook.sign_record(record=record)))
        self._finish(error)
        return text or ""

    def _call(self, hook: Callable[[], T]) -> tuple[T | None, Failure | None]:
        """Call the publisher. Returns what it returned, or how it failed."""
        with self._changed:
            self._health = replace(self._health, busy_since=time.time())
        try:
            return hook(), None
        except BaseException as raised:  # noqa: BLE001  # a plugin may raise anything
            return None, failure_of(raised, sys.exc_info()[2])

    def _finish(self, error: Failure | None) -> None:
        with self._changed:
            before, self._health = self._health, self._next_health(error)
            after = self._health
        self._report(before, after, error)

    def _next_plan(self, state: Endpoints, again: bool, error: Failure | None) -> Convergence:
        now = time.monotonic()
        if error is None:
            plan = self._plan.succeeded(state, now)
        else:
            spread = random.random()  # noqa: S311  # jitter
            plan = self._plan.failed(now, spread, again=again, retry_after=error.retry_after)
        return plan.closing(now) if self._closing else plan

    def _next_health(self, error: Failure | None) -> PublisherHealth:
        """After a call. Success is success only where the target has a port, or where there is no target."""
        now = time.time()
        if error is not None:
            left = self._plan.due - time.monotonic()
            return self._health.failed(error, now).with_retry_at(None if left == inf else now + max(0.0, left))
        if self._has or not self._converges:
            return self._health.succeeded(now, self._has)
        return self._health.idle()

    def _report(self, before: PublisherHealth, after: PublisherHealth, error: Failure | None) -> None:
        """Tell a change once: to the log, and to the listener."""
        event = after.event_since(before)
        if event is None:
            _log.debug("%s: %s", self.name, f"again: {error.error}" if error else "done")
            return
        if error is None:
            _log.info("%s: published", self.name)
        elif error.fault is None:
            _log.warning("%s: %s", self.name, error.reason)
        else:
            _log.error("%s failed", self.name, exc_info=error.fault)
        if self._listener is not None:
            self._listener(event)


def load_publisher(spec_text: str, catalogue: Catalogue | None = None) -> PublisherRunner:
    """The publisher that a spec names, at work. Raises SpecError or PluginError."""
    spec = parse_spec(spec_text)
    plugin = (catalogue or Catalogue(PUBLISHERS)).find(spec)
    return PublisherRunner(construct(plugin.load(), spec, str(plugin)), str(plugin))


def _words(answer: object) -> str | None:
    """What a publisher says that its target has, if it says that."""
    text = _text(answer)
    return None if text is None else printable(text[:MAX_WORDS])


def _text(answer: object) -> str | None:
    """A text that a publisher gave, as nothing but a text: a class derived from it may do anything."""
    return str.__getitem__(answer, slice(None)) if isinstance(answer, str) else None


def _has(words: str | None, state: Endpoints) -> str:
    """What the target has, in words: the publisher's own, else the ports that it was given; empty for nothing."""
    if words is not None:
        return words
    ports = list(dict.fromkeys(str(port.external_port) for port in state.ports))
    more = len(ports) - SHOWN_PORTS
    return ", ".join(ports[:SHOWN_PORTS]) + (f" and {more} more" if more > 0 else "")


def _declarations(publisher: Any, name: str) -> tuple[str, RetrySchedule]:
    """How a publisher names itself, if it does, and its times. Runs code of the plugin. Raises PluginError."""
    title = printable(text_of(publisher, name))
    return name if title == object.__repr__(publisher) else title, _retry_schedule(publisher, name)


def _retry_schedule(publisher: Any, name: str) -> RetrySchedule:
    """The times that follow from `reassert_every`. Raises PluginError where it is no number of seconds."""
    every = getattr(publisher, "reassert_every", inf)
    if not isinstance(every, int | float) or not every > 0:
        raise PluginError(f"{name} declares reassert_every = {every!r}: give a number of seconds above 0")
    schedule = RetrySchedule(every=every)
    return replace(schedule, last=max(schedule.first, min(schedule.last, every)))
