"""A publisher that raises and answers what no publisher should is told as failing, and harms only itself."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.publishers.recording_publishers import MOVED, OPENED, SLOW, Eventually, Start
from tests.stopwatch import Stopwatch

from portmap.endpoints import Endpoints
from portmap.errors import PluginError, Refused
from portmap.events import PublisherEvent, PublisherFailed, PublisherOk
from portmap.hookspecs import hookimpl
from portmap.loading import time_limit
from portmap.publishers.convergence import RetrySchedule
from portmap.publishers.runner import PublisherRunner


class TextInterrupts(Exception):
    def __str__(self) -> str:
        raise KeyboardInterrupt


class TextIsLong(Exception):
    def __str__(self) -> str:
        return "\x1b[31m\u202eabc" * 100_000


class WaitRaises(Refused):
    def __getattribute__(self, name: str) -> Any:
        if name == "retry_after":
            raise ValueError(name)
        return super().__getattribute__(name)


class NameRaises(type):
    def __getattribute__(cls, name: str) -> Any:
        if name in {"__name__", "__mro__"}:
            raise ValueError(name)
        return super().__getattribute__(name)


def of_a_class_without_a_name(base: type[Exception]) -> BaseException:
    class Nameless(base, metaclass=NameRaises):  # type: ignore[misc, valid-type]  # here, for pytest asks every class
        pass

    made: BaseException = Nameless("no")
    return made


class StrangeText(str):
    __slots__ = ()

    def __getitem__(self, _: object) -> str:
        raise ValueError("no part of it")


class Strange:
    """Raises or returns what it is made with."""

    def __init__(self, make: Callable[[], object]) -> None:
        self._make = make

    def __str__(self) -> str:
        return "the strange one"

    @hookimpl
    def converge(self, state: Endpoints) -> object:
        made = self._make()
        if isinstance(made, BaseException):
            raise made
        return made


def told_of(start: Start, eventually: Eventually, make: Callable[[], object]) -> PublisherEvent:
    """The first that is told of the publisher."""
    told: list[PublisherEvent] = []
    runner = start(Strange(make), schedule=SLOW)
    runner.on_health_event(told.append)
    runner.handle(OPENED)
    eventually(lambda: bool(told))
    assert runner._thread.is_alive()
    return told[0]


@pytest.mark.parametrize(
    ("make", "reason", "error"),
    [
        (TextInterrupts, "its text cannot be read", "TextInterrupts"),
        (lambda: WaitRaises("not now"), "not now", "Refused"),
        (lambda: of_a_class_without_a_name(Exception), "no", "Nameless"),
        (lambda: of_a_class_without_a_name(Refused), "no", "Nameless"),
        (lambda: SystemExit(3), "3", "SystemExit"),
    ],
)
def test_whatever_is_raised_is_told_as_a_failure(
    start: Start, eventually: Eventually, make: Callable[[], BaseException], reason: str, error: str
) -> None:
    told = told_of(start, eventually, make)
    assert told == PublisherFailed(publisher="the strange one", reason=reason, error=error)


def test_a_text_without_end_is_cut_and_drives_no_terminal(start: Start, eventually: Eventually) -> None:
    told = told_of(start, eventually, TextIsLong)
    assert len(told.reason) <= 1000
    assert told.reason.startswith("?[31m?abc")


@pytest.mark.parametrize(("words", "has"), [(StrangeText("56164"), "56164"), ("\x1b[1m80", "?[1m80")])
def test_words_of_a_strange_kind_are_a_text(start: Start, eventually: Eventually, words: str, has: str) -> None:
    assert told_of(start, eventually, lambda: words) == PublisherOk(publisher="the strange one", has=has)


@pytest.fixture
def released() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_an_error_whose_text_hangs_delays_nobody(
    start: Start, eventually: Eventually, released: threading.Event
) -> None:
    asked = threading.Event()

    class TextHangs(Exception):
        def __str__(self) -> str:
            asked.set()
            released.wait(30)
            return ""

    runner = start(Strange(TextHangs), schedule=SLOW)
    runner.handle(OPENED)
    eventually(asked.is_set)
    with Stopwatch() as watch:
        runner.handle(MOVED)
        assert runner.status.busy_since
    assert watch.seconds < 0.5


def test_a_publisher_whose_own_name_hangs_is_refused(
    released: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NameHangs(Strange):
        def __str__(self) -> str:
            released.wait(30)
            return ""

    monkeypatch.setattr(time_limit, "SECONDS", 0.2)
    with pytest.raises(PluginError, match="acme did not come back"):
        PublisherRunner(NameHangs(object), "acme", RetrySchedule())
