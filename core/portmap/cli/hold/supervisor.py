"""Holds several sessions at once, until a signal or the end of the time; SIGHUP reads the settings again.

The main thread alone starts and ends sessions and prints; every other thread only leaves it a message. A session
that ends by a fault takes no other with it. All end together, within 3 seconds.
"""

import errno
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Protocol, TypeAlias

from portmap.cli.exit_codes import print_error
from portmap.cli.hold.no_service_manager import service_reporter
from portmap.cli.hold.sessions import END, RunningSession, SessionSet, session_opener
from portmap.cli.output.events import LineFormatter
from portmap.cli.signals import StopSignals
from portmap.cli.terminal import discard_output
from portmap.config.settings import Instance
from portmap.errors import PortmapError
from portmap.events import Event, PortAdded
from portmap.model import Kind

_STOP, _TIME_IS_UP, _RELOAD = "stop", "time is up", "reload"
_Message: TypeAlias = tuple[RunningSession, Event | None] | str


class Messages(Protocol):
    """What is said to people beside the events, line by line."""

    def on_start(self, running: RunningSession) -> Sequence[str]:
        """As a session begins."""

    def after_event(self, running: RunningSession, event: Event) -> Sequence[str]:
        """When this has been told."""


class EventConsumer(Protocol):
    """Who hears every event, in the main thread; the metrics do."""

    def apply(self, instance: str, event: Event) -> None:
        """Something happened."""

    def forget(self, instance: str) -> None:
        """The instance has ended."""


def supervise(
    instances: Sequence[Instance],
    show: LineFormatter,
    *,
    ending: StopSignals | None = None,
    greeting: Messages | None = None,
    reload: Callable[[], Sequence[Instance]] | None = None,
    state: Path | None = None,
    seconds: float | None = None,
    consumers: Sequence[EventConsumer] = (),
) -> None:
    """Hold until SIGINT, SIGTERM or the end of the time. Raises PortmapError: the one that ended the first instance.

    `ending`: the signal listener that runs already. `show` gives the line for an event, None for none.
    `reload` is asked at SIGHUP for the instances that shall run from then on; an error of its leaves all as it was.
    `state` is the folder for instances that name none.
    """
    holding = Supervisor(show, greeting, reload, state, consumers)
    with nullcontext(ending) if ending else StopSignals() as heard:
        heard.set_handlers(holding.ask_to_stop, None if reload is None else holding.ask_to_reload)
        if seconds is not None:
            timer = threading.Timer(seconds, holding.end_of_time)
            timer.daemon = True
            timer.start()
        holding.run(instances)
    if holding.fault is not None:
        raise holding.fault


class Supervisor:
    """Runs the sessions. All in the main thread, except `ask_to_stop`, `end_of_time` and `ask_to_reload`."""

    def __init__(
        self,
        show: LineFormatter,
        greeting: Messages | None,
        reload: Callable[[], Sequence[Instance]] | None,
        state: Path | None,
        consumers: Sequence[EventConsumer],
    ) -> None:
        self.fault: PortmapError | None = None
        self._show = show
        self._greeting = greeting
        self._reload = reload
        self._consumers = consumers
        self._messages: SimpleQueue[_Message] = SimpleQueue()
        self._sessions = SessionSet(session_opener(state), lambda running, event: self._messages.put((running, event)))
        self._service = service_reporter()
        self._next_beat = time.monotonic()
        self._end_by: float | None = None
        self._opened = False

    def ask_to_stop(self) -> None:
        """From any thread."""
        self._messages.put(_STOP)

    def end_of_time(self) -> None:
        """From any thread."""
        self._messages.put(_TIME_IS_UP)

    def ask_to_reload(self) -> None:
        """From any thread."""
        self._messages.put(_RELOAD)

    def run(self, instances: Sequence[Instance]) -> None:
        """From the first session's start to the last one's end. Raises PortmapError where one cannot be started."""
        try:
            with suppress(BrokenPipeError):  # a reader who has gone wants no more
                for instance in instances:
                    running = self._sessions.start(instance)
                    self._say(self._greeting.on_start(running) if self._greeting else ())
                self._expect()
                while self._sessions.running and (message := self._next()) is not None:
                    self._take(message)
        finally:
            self._sessions.end(running.name for running in self._sessions.running)

    def _next(self) -> _Message | None:
        """The next message, with a beat whenever one is due; None when the time for ending is over."""
        while self._end_by is None or time.monotonic() < self._end_by:
            try:
                return self._messages.get(timeout=self._time_left())
            except Empty:
                continue
        return None

    def _time_left(self) -> float | None:
        """For how long to wait for a message; None: as long as it takes."""
        now = time.monotonic()
        if self._service.watchdog_interval is None:
            return None if self._end_by is None else max(0.0, self._end_by - now)
        if now >= self._next_beat:
            self._next_beat = now + self._service.watchdog_interval
            if self._sessions.lives():
                self._service.send_watchdog()
        return max(0.0, min(self._next_beat, self._end_by or self._next_beat) - now)

    def _take(self, message: _Message) -> None:
        match message:
            case str() if message in (_STOP, _TIME_IS_UP):
                if message == _TIME_IS_UP:
                    self.fault = self.fault or self._why_nothing_was_opened()
                self._end_by = self._end_by or time.monotonic() + END
                self._service.stopping()
                self._sessions.stop()
            case str():
                self._reload_settings()
            case (running, None):
                self._ended(running)
            case (running, event):
                self._told(running, event)

    def _told(self, running: RunningSession, event: Event) -> None:
        self._opened = self._opened or isinstance(event, PortAdded)
        text = self._show(running.name, event, time.time())
        self._say(() if text is None else (text,))
        self._say(self._greeting.after_event(running, event) if self._greeting else ())
        if self._sessions.has(running):
            self._service.apply(running.name, event)
            for consumer in self._consumers:
                consumer.apply(running.name, event)

    def _why_nothing_was_opened(self) -> PortmapError | None:
        """The reason of the first session; None where a port was opened, or there is no gateway to open one."""
        sessions = [running.session for running in self._sessions.running if running.session.kind is not Kind.NONE]
        if self._opened or not sessions:
            return None
        try:
            sessions[0].wait(0)
        except PortmapError as error:
            error.args = (f"nothing was opened: {error}", *error.args[1:])
            return error
        return None

    def _say(self, lines: Sequence[str]) -> None:
        for text in lines:
            try:
                print(text, flush=True)  # a program may read the pipe line by line
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                discard_output(sys.stdout)  # the terminal is gone: SIGHUP ends us in order

    def _ended(self, running: RunningSession) -> None:
        """A session has ended; where it was not asked to, by a fault."""
        if not self._sessions.forget(running):
            return
        self._forget(running.name)
        try:
            running.session.raise_fault()
        except PortmapError as error:
            self.fault = self.fault or error
            if self._sessions.running:
                print_error(f"instance {running.name} has ended: {error}")

    def _reload_settings(self) -> None:
        """Change what runs into what is wanted now; what makes no sense changes nothing."""
        if self._reload is None or self._end_by is not None:
            return
        self._service.reloading()
        try:
            wanted = self._reload()
        except PortmapError as error:
            print_error(f"nothing was changed: {error}")
        else:
            self._change(wanted)
        self._expect()
        self._service.reloaded()

    def _change(self, wanted: Sequence[Instance]) -> None:
        from portmap.cli.hold.reload import change_sessions  # noqa: PLC0415  # most commands end without a SIGHUP

        before = [running.instance for running in self._sessions.running]
        for instance, error in change_sessions(self._sessions, wanted):
            print_error(f"instance {instance.name} cannot be started: {error}")
            if not self._sessions.running:
                self.fault = error
        now = {running.name for running in self._sessions.running}
        for instance in before:
            if instance.name not in now:
                self._forget(instance.name)

    def _expect(self) -> None:
        """Let the manager know what is asked for; without a NAT nothing is ever mapped."""
        for running in self._sessions.running:
            if running.session.kind is not Kind.NONE:
                self._service.expect(running.name, (request.key for request in running.session.requests))
        self._service.send()

    def _forget(self, name: str) -> None:
        self._service.forget(name)
        for consumer in self._consumers:
            consumer.forget(name)
