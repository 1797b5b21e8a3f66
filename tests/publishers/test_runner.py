"""PublisherRunner: a publisher on a thread of its own is called until it succeeds."""

import threading
from collections.abc import Callable, Iterator
from math import nan
from typing import Any

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

from portmap.errors import GatewayTimeout, PluginError, PortmapError, Refused, SpecError
from portmap.events import GatewayFound, PortChanged
from portmap.hookspecs import hookimpl
from portmap.loop.inbox import Register
from portmap.model import PortRequest, Protocol
from portmap.node.local_node import Record
from portmap.publishers.convergence import RetrySchedule
from portmap.publishers.runner import PublisherRunner, load_publisher
from portmap.testing.scripted import Recording, ScriptedBackend, play


class Signer(Publisher):
    """Signs, too."""

    def __init__(self, sign: Callable[[Record], object] = lambda record: f"signed {record.seq}") -> None:
        super().__init__()
        self.sign = sign

    @hookimpl
    def sign_record(self, record: Record) -> object:
        return self.sign(record)


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """What a hung publisher waits for."""
    event = threading.Event()
    yield event
    event.set()


def raising(error: BaseException) -> Callable[..., object]:
    def fail(*_: object) -> object:
        raise error

    return fail


def signature(signer: Signer) -> str:
    """What a runner says a record's signature is."""
    texts: list[str] = []
    runner = PublisherRunner(signer, "acme")
    runner.sign(Record(7), texts.append)
    closed(runner)
    (text,) = texts
    return text


def test_a_publisher_is_told_in_order_in_a_thread_of_its_own() -> None:
    publisher = Publisher()
    runner = PublisherRunner(publisher, "acme")
    events = [GatewayFound(gateway=str(number)) for number in range(10)]
    for event in events:
        runner.handle(event)
    closed(runner)
    assert (publisher.told, publisher.thread) == (events, "portmap acme")


def test_what_was_told_before_the_end_is_still_delivered() -> None:
    publisher = Publisher()
    runner = PublisherRunner(publisher, "acme")
    runner.handle(FOUND)
    closed(runner)
    assert publisher.told == [FOUND]


def test_telling_a_hung_publisher_does_not_block(release: threading.Event) -> None:
    runner = PublisherRunner(Publisher(lambda: release.wait(LONG)), "acme")
    for _ in range(1000):
        runner.handle(FOUND)


def test_a_hung_publisher_is_left_behind_with_a_word(
    release: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    runner = PublisherRunner(Publisher(lambda: release.wait(LONG)), "acme")
    runner.handle(FOUND)
    runner.close()
    runner.join(0.01)
    assert "acme is still busy and is left behind" in caplog.text


@pytest.mark.parametrize("error", [ValueError("oops"), GatewayTimeout("oops"), SystemExit("oops")])
def test_what_a_publisher_raises_is_logged_with_its_name(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    runner = PublisherRunner(Publisher(raising(error)), "acme")
    runner.handle(FOUND)
    closed(runner)
    assert "acme" in caplog.text
    assert "oops" in caplog.text


@pytest.mark.parametrize("error", [ValueError("oops"), SystemExit("oops")])
def test_a_publisher_that_raised_is_told_the_next_event(error: BaseException) -> None:
    publisher = Publisher(raising(error))
    runner = PublisherRunner(publisher, "acme")
    runner.handle(FOUND)
    publisher.first = lambda: None
    runner.handle(FOUND)
    closed(runner)
    assert FOUND in publisher.told


def test_a_publisher_without_a_signing_hook_does_not_sign() -> None:
    runners = [PublisherRunner(Publisher(), "mute"), PublisherRunner(Signer(), "signer")]
    assert [runner.signs for runner in runners] == [False, True]
    for runner in runners:
        closed(runner)


def test_a_record_comes_back_signed() -> None:
    assert signature(Signer()) == "signed 7"


@pytest.mark.parametrize("error", [ValueError("oops"), SystemExit("oops")])
def test_a_signature_that_fails_is_empty_and_logged(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    assert signature(Signer(raising(error))) == ""
    assert "acme failed" in caplog.text


@pytest.mark.parametrize("answer", [None, 5, b"enr:"])
def test_a_signature_that_is_no_text_is_none(answer: object) -> None:
    assert signature(Signer(lambda _: answer)) == ""


def test_an_unknown_publisher_is_the_users_mistake() -> None:
    with pytest.raises(SpecError, match="unknown publisher 'emr': did you mean 'enr'"):
        load_publisher("emr:key")


def test_a_publisher_without_any_hook_is_the_authors() -> None:
    with pytest.raises(PluginError, match="lacks the hook converge or on_event or sign_record"):
        PublisherRunner(object(), "acme")


def test_the_thread_ends_with_the_runner(eventually: Eventually) -> None:
    closed(PublisherRunner(Publisher(), "closing"))
    eventually(lambda: "portmap closing" not in [thread.name for thread in threading.enumerate()])


# Convergence


def test_what_holds_is_told_and_told_once(start: Start, eventually: Eventually) -> None:
    publisher = Converging()
    runner = start(publisher, schedule=QUICK)
    runner.handle(OPENED)
    eventually(lambda: publisher.told)
    runner.handle(OPENED)
    closed(runner)
    assert publisher.told == [(8080, False)]


def test_a_state_that_failed_is_published_until_it_succeeds(start: Start, eventually: Eventually) -> None:
    publisher = Converging(PortmapError("not up yet"), ValueError("oops"), SystemExit(1))
    runner = start(publisher, schedule=QUICK)
    runner.handle(OPENED)
    eventually(lambda: runner.status.ok)
    assert publisher.told == [(8080, False)] * 4


def test_a_newer_state_waits_for_the_next_try_of_a_failing_publisher(start: Start, eventually: Eventually) -> None:
    publisher = Converging(PortmapError("down"))
    runner = start(publisher, schedule=RetrySchedule(settle=0.0, first=0.2, last=0.2))
    runner.handle(OPENED)
    eventually(lambda: runner.status.failures)
    runner.handle(MOVED)
    assert publisher.told == [(8080, False)]
    eventually(lambda: runner.status.ok)
    assert publisher.told == [(8080, False), (9090, False)]


def test_a_publisher_that_was_busy_is_told_the_newest_only(
    start: Start, release: threading.Event, eventually: Eventually
) -> None:
    publisher = Converging(first=lambda: release.wait(LONG))
    runner = start(publisher, schedule=QUICK)
    runner.handle(OPENED)
    eventually(lambda: runner.status.busy_since)
    for number in range(1, 1001):
        runner.handle(PortChanged(protocol=Protocol.TCP, internal_port=80, external_port=number))
    release.set()
    closed(runner)
    assert publisher.told == [(8080, False), (1000, False)]


def test_on_demand_it_is_told_again(start: Start, eventually: Eventually) -> None:
    publisher = Converging()
    runner = start(publisher, schedule=QUICK)
    runner.handle(OPENED)
    eventually(lambda: publisher.told)
    runner.reassert()
    eventually(lambda: publisher.told == [(8080, False), (8080, True)])


def test_a_publisher_that_wants_it_is_told_every_so_often(start: Start, eventually: Eventually) -> None:
    publisher: Any = Converging()
    publisher.reassert_every = 0.001
    runner = start(publisher)
    runner.handle(OPENED)
    eventually(lambda: len(publisher.told) > 3)


@pytest.mark.parametrize("every", [0, -1, nan, "often", None])
def test_a_period_that_is_none_is_the_authors_mistake(start: Start, every: object) -> None:
    publisher: Any = Converging()
    publisher.reassert_every = every
    with pytest.raises(PluginError, match="acme declares reassert_every"):
        start(publisher)


def test_at_the_end_the_last_state_is_told_without_waiting(start: Start) -> None:
    publisher = Converging()
    runner = start(publisher, schedule=RetrySchedule(settle=LONG))
    runner.handle(OPENED)
    closed(runner)
    assert publisher.told == [(8080, False)]


def test_at_the_end_a_publisher_that_fails_is_not_waited_for(start: Start) -> None:
    publisher = Converging(PortmapError("down"))
    runner = start(publisher, schedule=SLOW)
    runner.handle(OPENED)
    closed(runner)
    assert publisher.told == [(8080, False)]


@pytest.mark.parametrize("seconds", [nan, -1, "soon", None])
def test_a_plugin_may_ask_to_wait_for_any_time(start: Start, seconds: Any, eventually: Eventually) -> None:
    publisher = Converging(Refused("no", retry_after=seconds))
    runner = start(publisher, schedule=QUICK)
    runner.handle(OPENED)
    eventually(lambda: runner.status.ok)


# The loop


def hour(*runners: PublisherRunner) -> Recording:
    """An hour of the real loop, whose every event goes to the runners in the loop's own thread."""

    class Backend(ScriptedBackend):
        def _hear(self, hook: str, *arguments: object) -> None:
            for runner in runners:
                runner.handle(GatewayFound(gateway=str(self.inbox.seconds)))
            super()._hear(hook, *arguments)

    return play(Backend(), [(0, Register(PortRequest(Protocol.TCP, 80)))], end=3600)


def test_a_publisher_that_hangs_or_fails_for_an_hour_costs_no_renewal(start: Start, release: threading.Event) -> None:
    hung = start(Converging(first=lambda: release.wait(LONG)), "hung", QUICK)
    failing = start(Converging(*[PortmapError(str(number)) for number in range(9999)]), "failing", QUICK)
    alone, beside = hour(), hour(hung, failing)
    assert beside.events == alone.events
    assert len(beside.of("mapping.renewed")) >= 11
