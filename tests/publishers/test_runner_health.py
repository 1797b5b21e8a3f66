"""PublisherRunner: what is told of how a publisher fares."""

import logging
from functools import partial

import pytest
from tests.publishers.recording_publishers import (
    FOUND,
    LONG,
    MOVED,
    OPENED,
    QUICK,
    SLOW,
    Converging,
    Eventually,
    Publisher,
    Start,
    closed,
)

from portmap.endpoints import Endpoints
from portmap.errors import GatewayTimeout, PortmapError, Refused
from portmap.events import Event, PortAdded, PortRemoved, PublisherFailed, PublisherOk
from portmap.hookspecs import hookimpl
from portmap.model import Protocol
from portmap.publishers.runner import PublisherRunner

CLOSED = PortRemoved(protocol=Protocol.TCP, internal_port=80, external_port=9090)


def shows(runner: PublisherRunner, port: str) -> bool:
    return runner.status.has == port


def test_a_runner_says_how_its_publisher_fares(start: Start, eventually: Eventually) -> None:
    runner = start(Converging(GatewayTimeout("down")), schedule=SLOW)
    assert (runner.status.publisher, runner.status.ok) == ("the monitor", None)
    runner.handle(OPENED)
    eventually(lambda: runner.status.ok is False)
    status = runner.status
    assert (status.failures, status.reason, status.error) == (1, "down", "GatewayTimeout")
    assert status.retry_at
    assert status.since
    assert status.retry_at > status.since + LONG / 2


def of_logged(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """What is logged of the publisher named so: a thread of another test may log of its own."""
    return [record for record in caplog.records if record.getMessage().startswith("logged")]


def test_the_status_is_announced_and_logged_on_change_only(
    start: Start, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    announced: list[Event] = []
    down, full = PortmapError("down"), Refused("full")
    runner = start(Converging(down, down, down, full, full), "logged", QUICK)
    runner.on_health_event(announced.append)
    runner.handle(OPENED)
    eventually(lambda: runner.status.ok)
    runner.reassert()
    closed(runner)
    assert announced == [
        PublisherFailed(publisher="the monitor", reason="down", error="PortmapError"),
        PublisherFailed(publisher="the monitor", reason="full", error="Refused"),
        PublisherOk(publisher="the monitor", has="8080"),
    ]
    assert [record.levelname for record in of_logged(caplog)] == ["WARNING", "WARNING"]


def test_a_fault_of_the_publishers_own_is_logged_with_its_traceback_once(
    start: Start, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    runner = start(Converging(KeyError("oops"), KeyError("oops")), "logged", QUICK)
    runner.handle(OPENED)
    eventually(lambda: runner.status.ok)
    assert [bool(record.exc_info) for record in of_logged(caplog)] == [True]


def test_publishers_are_not_told_of_publishers(start: Start) -> None:
    publisher = Publisher()
    runner = start(publisher)
    runner.handle(PublisherFailed(publisher="another"))
    closed(runner)
    assert publisher.told == []


def test_a_publisher_that_cannot_say_its_name_has_that_of_its_entry_point(start: Start) -> None:
    class Nameless(Publisher):
        def __str__(self) -> str:
            raise ValueError("oops")

    assert [start(it).status.publisher for it in (Publisher(), Nameless())] == ["acme", "acme"]


def test_success_is_announced_once_for_each_port(start: Start, eventually: Eventually) -> None:
    announced: list[Event] = []
    runner = start(Converging(), schedule=QUICK)
    runner.on_health_event(announced.append)
    for event, port in ((OPENED, "8080"), (MOVED, "9090")):
        runner.handle(event)
        eventually(partial(shows, runner, port))
        runner.reassert()
    closed(runner)
    assert announced == [PublisherOk(publisher="the monitor", has=port) for port in ("8080", "9090")]


@pytest.mark.parametrize("last", [FOUND, CLOSED])
def test_without_an_open_port_nothing_is_announced(last: Event, start: Start) -> None:
    announced: list[Event] = []
    publisher = Converging()
    runner = start(publisher, schedule=QUICK)
    runner.on_health_event(announced.append)
    runner.handle(FOUND)
    runner.handle(last)
    closed(runner)
    assert publisher.told
    assert (announced, runner.status.ok) == ([], None)


def test_a_target_that_refuses_does_not_have_it_at_the_end(start: Start, eventually: Eventually) -> None:
    announced: list[Event] = []
    publisher = Converging(Refused("wrong password"))
    runner = start(publisher, schedule=SLOW)
    runner.on_health_event(announced.append)
    runner.handle(OPENED)
    eventually(lambda: runner.status.failures)
    runner.handle(CLOSED)
    closed(runner)
    assert publisher.told == [(8080, False), (0, False)]
    assert [type(event) for event in announced] == [PublisherFailed]
    assert runner.status.ok is False


@pytest.mark.parametrize(("words", "has"), [("56164", "56164"), ("", ""), ("x" * 999, "x" * 200), (None, "8080")])
def test_a_publisher_may_say_what_its_target_has(words: str | None, has: str, start: Start) -> None:
    class Saying:
        @hookimpl
        def converge(self, state: Endpoints) -> str | None:
            return words

    announced: list[Event] = []
    runner = start(Saying(), schedule=QUICK)
    runner.on_health_event(announced.append)
    runner.handle(OPENED)
    closed(runner)
    assert announced == ([PublisherOk(publisher="acme", has=has)] if has else [])


def test_many_ports_are_counted(start: Start) -> None:
    runner = start(Converging(), schedule=QUICK)
    for port in range(8000, 8009):
        runner.handle(PortAdded(protocol=Protocol.TCP, internal_port=port, external_port=port))
    closed(runner)
    assert runner.status.has == "8000, 8001, 8002, 8003, 8004 and 4 more"


def test_an_event_that_was_taken_is_no_success_of_the_target(start: Start, eventually: Eventually) -> None:
    class Both(Converging):
        @hookimpl
        def on_event(self, event: Event) -> None:
            pass

    runner = start(Both(Refused("no")), schedule=SLOW)
    runner.handle(OPENED)
    eventually(lambda: runner.status.failures)
    runner.handle(OPENED)
    closed(runner)
    assert runner.status.ok is False
