"""Publishers at work: each in a thread of its own, each harming only itself."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from math import nan
from typing import Any

import pytest

from portmap.endpoints import Endpoints
from portmap.errors import GatewayTimeout, PluginError, PortmapError, Refused, SpecError
from portmap.events import Event, GatewayFound, PortAdded, PortChanged, PortRemoved, PublisherFailed, PublisherOk
from portmap.hookspecs import hookimpl
from portmap.loop.inbox import Register
from portmap.model import PortRequest, Protocol
from portmap.node.local_node import Record
from portmap.publishers.convergence import RetrySchedule
from portmap.publishers.runner import PublisherRunner, load_publisher
from portmap.testing.scripted import Recording, ScriptedBackend, play

LONG = 5.0  # seconds, that no test here waits out
FOUND = GatewayFound(gateway="g")
OPENED = PortAdded(protocol=Protocol.TCP, internal_port=80, external_port=8080)
MOVED = PortChanged(protocol=Protocol.TCP, internal_port=80, external_port=9090)
CLOSED = PortRemoved(protocol=Protocol.TCP, internal_port=80, external_port=9090)
QUICK = RetrySchedule(settle=0.0, first=0.001, last=0.001)
SLOW = RetrySchedule(settle=0.0, first=LONG, last=LONG)
Eventually = Callable[[Callable[[], object]], None]
Start = Callable[..., PublisherRunner]


class Publisher:
    """Notes what it is told; does what it is made to do first."""

    def __init__(self, first: Callable[[], object] = lambda: None) -> None:
        self.first = first
        self.told: list[Event] = []
        self.thread = ""

    @hookimpl
    def on_event(self, event: Event) -> None:
        self.thread = threading.current_thread().name
        self.first()
        self.told.append(event)


class Signer(Publisher):
    """Signs, too."""

    def __init__(self, sign: Callable[[Record], object] = lambda record: f"signed {record.seq}") -> None:
        super().__init__()
        self.sign = sign

    @hookimpl
    def sign_record(self, record: Record) -> object:
        return self.sign(record)


class Converging:
    """Notes each state that it is told of; raises what is next in `errors`, if anything."""

    def __init__(self, *errors: BaseException, first: Callable[[], object] = lambda: None) -> None:
        self.errors = list(errors)
        self.first = first
        self.told: list[tuple[int, bool]] = []

    def __str__(self) -> str:
        return "the monitor"

    @hookimpl
    def converge(self, state: Endpoints, again: bool) -> None:
        self.first()
        self.told.append((state.ports[0].external_port if state.ports else 0, again))
        if self.errors:
            raise self.errors.pop(0)


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """What a hung publisher waits for."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def start() -> Iterator[Start]:
    """Makes runners, which are closed when the test is over."""
    runners: list[PublisherRunner] = []

    def make(publisher: Any, name: str = "acme", schedule: RetrySchedule | None = None) -> PublisherRunner:
        runners.append(PublisherRunner(publisher, name, schedule))
        return runners[-1]

    yield make
    for runner in runners:
        runner.close()


def raising(error: BaseException) -> Callable[..., object]:
    def fail(*_: object) -> object:
        raise error

    return fail


def shows(runner: PublisherRunner, port: str) -> bool:
    return runner.status.has == port


def closed(runner: PublisherRunner) -> None:
    runner.close()
    runner.join(LONG)


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


# Convergence -----------------------------------------------------------------------------------------------------


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


# Status ----------------------------------------------------------------------------------------------------------


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


def test_the_status_is_announced_and_logged_on_change_only(
    start: Start, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    announced: list[Event] = []
    down, full = PortmapError("down"), Refused("full")
    runner = start(Converging(down, down, down, full, full), schedule=QUICK)
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
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]


def test_a_fault_of_the_publishers_own_is_logged_with_its_traceback_once(
    start: Start, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    runner = start(Converging(KeyError("oops"), KeyError("oops")), schedule=QUICK)
    runner.handle(OPENED)
    eventually(lambda: runner.status.ok)
    assert [bool(record.exc_info) for record in caplog.records] == [True]


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


# The loop --------------------------------------------------------------------------------------------------------


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
