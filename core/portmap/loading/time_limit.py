"""Runs a plugin's code that should only compute: importing it, reading its argument and what it declares.

Rules:
- Whatever the code raises becomes a portmap error; its text is read by the code's own thread, for that may hang, too.
- Code that overruns is left behind on a daemon thread: it delays neither the caller nor the end of the process.
- The limit is CPU time, and a time without any: on a busy machine a good plugin is slow, and not stuck.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from typing import TypeVar

from portmap.errors import PluginError, SpecError

T = TypeVar("T")

SECONDS = 5.0  # of CPU time, or without any; importing the largest of ours takes 0.1 s on a slow machine
MAX_SECONDS = 60.0  # in all
_LOOK = 0.1  # seconds between two looks at the thread's CPU time
_MAX_TEXT = 1000  # characters of an error's text


class PluginRaised(PluginError):
    """The plugin's code raised something of its own: the name of its class, and its text."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind
        self.text = text


class _MeasuredThread(threading.Thread):
    """A daemon thread that notes its own CPU clock: to ask for that of a thread which has ended crashes the process."""

    def __init__(self, work: Callable[[], None], name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._work = work
        self._clock: int | None = None

    def run(self) -> None:
        """Do the work."""
        with suppress(AttributeError):  # not on Windows
            self._clock = time.pthread_getcpuclockid(threading.get_ident())
        self._work()

    def cpu_time(self) -> float:
        """Seconds for which the thread has computed; 0 where the system does not tell, or the thread has ended."""
        with suppress(OSError):
            return 0.0 if self._clock is None else time.clock_gettime(self._clock)
        return 0.0


def call_with_limit(work: Callable[[], T], what: str, seconds: float | None = None) -> T:
    """What `work` returns, or its SpecError or PluginError; PluginRaised for whatever else it raised.

    Raises PluginError, which tells `what` it was, if that takes too long.
    """
    limit = SECONDS if seconds is None else seconds
    call: Future[T] = Future()
    thread = _MeasuredThread(lambda: complete(call, lambda: call_without_limit(work, what)), what)
    thread.start()
    end = time.monotonic() + MAX_SECONDS
    used, stuck_since = 0.0, time.monotonic()
    while not call.done():
        wait((call,), min(_LOOK, limit))
        now = time.monotonic()
        used_before, used = used, thread.cpu_time()
        stuck_since = stuck_since if used == used_before else now
        if not call.done() and (used >= limit or now - stuck_since >= limit or now >= end):
            raise PluginError(f"{what} did not come back within {limit:g} s: it must not wait for anything there")
    return call.result()


def call_without_limit(work: Callable[[], T], _what: str) -> T:
    """The same without a limit, for threads that nothing waits for."""
    try:
        return work()
    except BaseException as error:  # noqa: BLE001  # a plugin may raise anything, an exit or an interrupt, too
        raise _as_ours(error) from (error if is_readable(error) else None)


def complete(call: Future[T], work: Callable[[], T]) -> None:
    """Do the work, and give the call what it returned or raised."""
    try:
        call.set_result(work())
    except BaseException as error:  # noqa: BLE001  # handed to the caller, whatever it is
        call.set_exception(error)


def text_of(value: object, otherwise: str = "its text cannot be read") -> str:
    """The value's text, on one line. It may hang: for threads that nothing waits for."""
    try:
        return " ".join(str(value)[:_MAX_TEXT].split())
    except BaseException:  # noqa: BLE001  # a plugin's __str__ may raise anything
        return otherwise


def class_name(value: object) -> str:
    """The name of its class, whatever the class answers."""
    name: str = type.__getattribute__(type(value), "__name__")
    return name


def is_readable(error: BaseException) -> bool:
    """Whether the error's text can be had, so that a log can show the error. It may hang: as `text_of`."""
    return text_of(error, otherwise="\0") != "\0"


def _as_ours(error: BaseException) -> PluginError | SpecError:
    """A new error of ours in place of what the plugin raised, which may be anything, a subclass of ours, too."""
    text = text_of(error)
    if isinstance(error, PluginRaised):
        return PluginRaised(error.kind, error.text)
    if isinstance(error, SpecError):
        return SpecError(text)
    if isinstance(error, PluginError):
        return PluginError(text)
    return PluginRaised(class_name(error), text)
