"""Publishers: each at a desk of its own, a thread, so that a slow or broken one harms only itself.

Law: telling never blocks, and no lock is held while a publisher works. Whatever a publisher raises is logged with its
name, once a reason, and goes no further. When it is told which state is decided in `portmap.publishers.convergence`.
"""

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial
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
from portmap.syntax.specs import parse_spec

BACKLOG = 10_000  # events kept for a publisher that hangs; of more, the oldest are lost to it

Task: TypeAlias = Callable[[], object]

_log = logging.getLogger("portmap.publishing")


class PublisherRunner:
    """One publisher at work. Every method may be called from any thread."""

    def __init__(self, publisher: Any, name: str, pace: RetrySchedule | None = None) -> None:
        self.name = name
        self._hook = validate_hooks(publisher, PUBLISHERS, name).hook
        self.signs = bool(self._hook.sign_record.get_hookimpls())
        self._streams = bool(self._hook.on_event.get_hookimpls())
        self._converges = bool(self._hook.converge.get_hookimpls())
        self._announce: Callable[[PublisherEvent], object] = lambda _: None
        self._changed = threading.Condition()
        self._chores: deque[Task] = deque(maxlen=BACKLOG)
        self._endpoints = Endpoints()
        self._plan = Convergence(pace or _retry_schedule(publisher, name))
        self._status = PublisherHealth(_display_name(publisher, name))
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=f"portmap {name}", daemon=True)
        self._thread.start()

    @property
    def status(self) -> PublisherHealth:
        """How the publisher fares."""
        with self._changed:
            return self._status

    def on_health_event(self, listener: Callable[[PublisherEvent], object]) -> None:
        """Who is told when the status changes; called in the desk's thread."""
        self._announce = listener

    def handle(self, event: Event) -> None:
        """Pass an event on, after all that was told before; and have the publisher make true what holds now."""
        if isinstance(event, PublisherEvent):
            return
        with self._changed:
            if self._streams:
                self._chores.append(partial(self._do, partial(self._hook.on_event, event=event)))
            if self._converges:
                self._endpoints = self._endpoints.after(event)
                self._plan = self._plan.want(self._endpoints, time.monotonic())
            self._changed.notify_all()

    def reassert(self) -> None:
        """Have the publisher do all of it again, now: the target may have lost it."""
        with self._changed:
            self._plan = self._plan.want_again(time.monotonic())
            self._changed.notify_all()

    def sign(self, record: Record, then: Callable[[str], None]) -> None:
        """Have the record signed; `then` is called with the text, empty if that failed."""
        with self._changed:
            self._chores.append(lambda: then(self._signed(record)))
            self._changed.notify_all()

    def close(self) -> None:
        """No more work will come. What was never tried is tried once; what failed is not tried again."""
        with self._changed:
            self._closing = True
            self._plan = self._plan.closing(time.monotonic())
            self._changed.notify_all()

    def join(self, timeout: float) -> None:
        """Wait for the work that is left, `timeout` seconds at the most."""
        self._thread.join(timeout)
        if self._thread.is_alive():
            _log.warning("%s is still busy and is left behind", self.name)

    # In the desk's thread.

    def _run(self) -> None:
        while (chore := self._next()) is not None:
            chore()

    def _next(self) -> Task | None:
        """Wait for something to do: what was told first, then what is due; None when all is done."""
        with self._changed:
            while True:
                if self._chores:
                    return self._chores.popleft()
                left = self._plan.due - time.monotonic()
                if left <= 0:
                    return self._converge
                if self._closing:
                    return None
                self._changed.wait(None if left == inf else left)

    def _converge(self) -> None:
        with self._changed:
            state, again = self._plan.wanted, self._plan.again
            self._plan = self._plan.started()
        if state is None:
            return
        self._do(lambda: self._hook.converge(state=state, again=again), partial(self._settle, state, again))

    def _settle(self, state: Endpoints, again: bool, error: BaseException | None) -> None:
        """What follows from the outcome; called under the lock."""
        now = time.monotonic()
        if error is None:
            self._plan = self._plan.succeeded(state, now)
        else:
            spread, peace = random.random(), _retry_after(error)  # noqa: S311  # jitter
            self._plan = self._plan.failed(now, spread, again=again, retry_after=peace)
        if self._closing:
            self._plan = self._plan.closing(now)

    def _signed(self, record: Record) -> str:
        texts: list[object] = []
        self._do(lambda: texts.append(self._hook.sign_record(record=record)))
        return next((text for text in texts if isinstance(text, str)), "")

    def _do(self, work: Task, settle: Callable[[BaseException | None], None] = lambda _: None) -> None:
        """Have the publisher work, and take note of how that went."""
        error: BaseException | None = None
        with self._changed:
            before = self._status
            self._status = replace(before, busy_since=time.time())
        try:
            work()
        except BaseException as raised:  # noqa: BLE001  # a stranger may raise anything
            error = raised
        with self._changed:
            settle(error)
            self._status = after = self._new_health(before, error)
        self._report(after.event_since(before), error)

    def _new_health(self, before: PublisherHealth, error: BaseException | None) -> PublisherHealth:
        now = time.time()
        if error is None:
            return before.succeeded(now)
        left = self._plan.due - time.monotonic()
        return before.failed(error, now).with_retry_at(None if left == inf else now + max(0.0, left))

    def _report(self, news: PublisherEvent | None, error: BaseException | None) -> None:
        """Say it once: to the log, and to whoever wants to be told."""
        if news is None:
            _log.debug("%s: %s", self.name, f"again: {error!r}" if error else "done")
            return
        if isinstance(error, PortmapError):
            _log.warning("%s: %s", self.name, error)
        elif error is not None:
            _log.error("%s failed", self.name, exc_info=error)
        else:
            _log.info("%s: published", self.name)
        self._announce(news)


def load_publisher(spec_text: str, catalogue: Catalogue | None = None) -> PublisherRunner:
    """The publisher that a spec names, at its desk. Raises SpecError or PluginError."""
    spec = parse_spec(spec_text)
    plugin = (catalogue or Catalogue(PUBLISHERS)).find(spec)
    return PublisherRunner(construct(plugin.load(), spec, str(plugin)), str(plugin))


def _display_name(publisher: Any, name: str) -> str:
    """How a publisher names itself, if it does."""
    try:
        title = str(publisher)
    except Exception:  # noqa: BLE001  # a stranger's __str__ may raise anything; a name is all we wanted
        return name
    return name if title == object.__repr__(publisher) else title


def _retry_schedule(publisher: Any, name: str) -> RetrySchedule:
    """Raises PluginError for a `reassert_every` that is no number of seconds."""
    every = getattr(publisher, "reassert_every", inf)
    if not isinstance(every, int | float) or not every > 0:
        raise PluginError(f"{name} declares reassert_every = {every!r}: give a number of seconds above 0")
    return RetrySchedule(every=every)


def _retry_after(error: BaseException) -> float:
    """For how long the target asked for peace: a stranger's word, so it may be anything."""
    peace: Any = error.retry_after if isinstance(error, Refused) else 0.0
    return peace if isinstance(peace, int | float) and peace > 0 else 0.0
