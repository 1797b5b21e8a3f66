"""Publishers at their desks: each in a thread of its own, each harming only itself."""

import threading
from collections.abc import Callable, Iterator
from math import nan
from typing import Any

import pytest

from portmap.endpoints import Endpoints
from portmap.errors import GatewayTimeout, PluginError, PortmapError, Refused, SpecError
from portmap.events import Event, GatewayFound, PublisherFailed, PublisherOk
from portmap.hookspecs import hookimpl
from portmap.loop.inbox import Register
from portmap.model import PortRequest, Protocol
from portmap.node.local_node import Record
from portmap.publishers.convergence import RetrySchedule
from portmap.publishers.runner import PublisherRunner, load_publisher
from portmap.testing.scripted import Recording, ScriptedBackend, play

LONG = 5.0  # seconds, that no test here waits out
FOUND = GatewayFound(gateway="g")
OTHER = GatewayFound(gateway="h")
QUICK = RetrySchedule(settle=0.0, first=0.001, last=0.001)
SLOW = RetrySchedule(settle=0.0, first=LONG, last=LONG)
Eventually = Callable[[Callable[[], object]], None]
Seat = Callable[..., PublisherRunner]


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
        self.told: list[tuple[str, bool]] = []

    def __str__(self) -> str:
        return "the monitor"

    @hookimpl
    def converge(self, state: Endpoints, again: bool) -> None:
        self.first()
        self.told.append((state.gateway, again))
        if self.errors:
            raise self.errors.pop(0)


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """What a hung publisher waits for."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def seat() -> Iterator[Seat]:
    """Makes desks, which are closed when the test is over."""
    desks: list[PublisherRunner] = []

    def make(publisher: Any, name: str = "acme", pace: RetrySchedule | None = None) -> PublisherRunner:
        desks.append(PublisherRunner(publisher, name, pace))
        return desks[-1]

    yield make
    for desk in desks:
        desk.close()


def raising(error: BaseException) -> Callable[..., object]:
    def fail(*_: object) -> object:
        raise error

    return fail


def closed(desk: PublisherRunner) -> None:
    desk.close()
    desk.join(LONG)


def signature(signer: Signer) -> str:
    """What a desk says a record's signature is."""
    texts: list[str] = []
    desk = PublisherRunner(signer, "acme")
    desk.sign(Record(7), texts.append)
    closed(desk)
    (text,) = texts
    return text


def test_a_publisher_is_told_in_order_in_a_thread_of_its_own() -> None:
    publisher = Publisher()
    desk = PublisherRunner(publisher, "acme")
    events = [GatewayFound(gateway=str(number)) for number in range(10)]
    for event in events:
        desk.handle(event)
    closed(desk)
    assert (publisher.told, publisher.thread) == (events, "portmap acme")


def test_what_was_told_before_the_end_is_still_delivered() -> None:
    publisher = Publisher()
    desk = PublisherRunner(publisher, "acme")
    desk.handle(FOUND)
    closed(desk)
    assert publisher.told == [FOUND]


def test_telling_a_hung_publisher_does_not_block(release: threading.Event) -> None:
    desk = PublisherRunner(Publisher(lambda: release.wait(LONG)), "acme")
    for _ in range(1000):
        desk.handle(FOUND)


def test_a_hung_publisher_is_left_behind_with_a_word(
    release: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    desk = PublisherRunner(Publisher(lambda: release.wait(LONG)), "acme")
    desk.handle(FOUND)
    desk.close()
    desk.join(0.01)
    assert "acme is still busy and is left behind" in caplog.text


@pytest.mark.parametrize("error", [ValueError("oops"), GatewayTimeout("oops"), SystemExit("oops")])
def test_what_a_publisher_raises_is_logged_with_its_name(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    desk = PublisherRunner(Publisher(raising(error)), "acme")
    desk.handle(FOUND)
    closed(desk)
    assert "acme" in caplog.text
    assert "oops" in caplog.text


@pytest.mark.parametrize("error", [ValueError("oops"), SystemExit("oops")])
def test_a_publisher_that_raised_is_told_the_next_event(error: BaseException) -> None:
    publisher = Publisher(raising(error))
    desk = PublisherRunner(publisher, "acme")
    desk.handle(FOUND)
    publisher.first = lambda: None
    desk.handle(FOUND)
    closed(desk)
    assert FOUND in publisher.told


def test_who_has_no_signing_hook_does_not_sign() -> None:
    desks = [PublisherRunner(Publisher(), "mute"), PublisherRunner(Signer(), "signer")]
    assert [desk.signs for desk in desks] == [False, True]
    for desk in desks:
        closed(desk)


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


def test_the_thread_ends_with_the_desk(eventually: Eventually) -> None:
    closed(PublisherRunner(Publisher(), "closing"))
    eventually(lambda: "portmap closing" not in [thread.name for thread in threading.enumerate()])


# Convergence -----------------------------------------------------------------------------------------------------


def test_what_holds_is_told_and_told_once(seat: Seat, eventually: Eventually) -> None:
    publisher = Converging()
    desk = seat(publisher, pace=QUICK)
    desk.handle(FOUND)
    eventually(lambda: publisher.told)
    desk.handle(FOUND)
    closed(desk)
    assert publisher.told == [("g", False)]


def test_what_did_not_take_is_told_until_it_does(seat: Seat, eventually: Eventually) -> None:
    publisher = Converging(PortmapError("not up yet"), ValueError("oops"), SystemExit(1))
    desk = seat(publisher, pace=QUICK)
    desk.handle(FOUND)
    eventually(lambda: desk.status.ok)
    assert publisher.told == [("g", False)] * 4


def test_a_newer_state_wakes_a_publisher_that_waits_for_its_next_try(seat: Seat, eventually: Eventually) -> None:
    publisher = Converging(PortmapError("down"))
    desk = seat(publisher, pace=SLOW)
    desk.handle(FOUND)
    eventually(lambda: desk.status.failures)
    desk.handle(OTHER)
    eventually(lambda: desk.status.ok)
    assert publisher.told == [("g", False), ("h", False)]


def test_a_publisher_that_was_busy_is_told_the_newest_only(
    seat: Seat, release: threading.Event, eventually: Eventually
) -> None:
    publisher = Converging(first=lambda: release.wait(LONG))
    desk = seat(publisher, pace=QUICK)
    desk.handle(FOUND)
    eventually(lambda: desk.status.busy_since)
    for number in range(1000):
        desk.handle(GatewayFound(gateway=str(number)))
    release.set()
    closed(desk)
    assert publisher.told == [("g", False), ("999", False)]


def test_on_demand_it_is_told_again(seat: Seat, eventually: Eventually) -> None:
    publisher = Converging()
    desk = seat(publisher, pace=QUICK)
    desk.handle(FOUND)
    eventually(lambda: publisher.told)
    desk.reassert()
    eventually(lambda: publisher.told == [("g", False), ("g", True)])


def test_a_publisher_that_wants_it_is_told_every_so_often(seat: Seat, eventually: Eventually) -> None:
    publisher: Any = Converging()
    publisher.reassert_every = 0.001
    desk = seat(publisher)
    desk.handle(FOUND)
    eventually(lambda: len(publisher.told) > 3)


@pytest.mark.parametrize("every", [0, -1, nan, "often", None])
def test_a_period_that_is_none_is_the_authors_mistake(seat: Seat, every: object) -> None:
    publisher: Any = Converging()
    publisher.reassert_every = every
    with pytest.raises(PluginError, match="acme declares reassert_every"):
        seat(publisher)


def test_at_the_end_the_last_state_is_told_without_waiting(seat: Seat) -> None:
    publisher = Converging()
    desk = seat(publisher, pace=RetrySchedule(settle=LONG))
    desk.handle(FOUND)
    closed(desk)
    assert publisher.told == [("g", False)]


def test_at_the_end_a_publisher_that_fails_is_not_waited_for(seat: Seat) -> None:
    publisher = Converging(PortmapError("down"))
    desk = seat(publisher, pace=SLOW)
    desk.handle(FOUND)
    closed(desk)
    assert publisher.told == [("g", False)]


@pytest.mark.parametrize("peace", [nan, -1, "soon", None])
def test_a_stranger_may_ask_for_any_peace(seat: Seat, peace: Any, eventually: Eventually) -> None:
    publisher = Converging(Refused("no", retry_after=peace))
    desk = seat(publisher, pace=QUICK)
    desk.handle(FOUND)
    eventually(lambda: desk.status.ok)


# Status ----------------------------------------------------------------------------------------------------------


def test_a_desk_says_how_its_publisher_fares(seat: Seat, eventually: Eventually) -> None:
    desk = seat(Converging(GatewayTimeout("down")), pace=SLOW)
    assert (desk.status.publisher, desk.status.ok) == ("the monitor", None)
    desk.handle(FOUND)
    eventually(lambda: desk.status.ok is False)
    status = desk.status
    assert (status.failures, status.reason, status.error) == (1, "down", "GatewayTimeout")
    assert status.retry_at
    assert status.since
    assert status.retry_at > status.since + LONG / 2


def test_the_status_is_announced_and_logged_on_change_only(
    seat: Seat, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    announced: list[Event] = []
    down, full = PortmapError("down"), Refused("full")
    desk = seat(Converging(down, down, down, full, full), pace=QUICK)
    desk.on_health_event(announced.append)
    desk.handle(FOUND)
    eventually(lambda: desk.status.ok)
    desk.reassert()
    closed(desk)
    assert announced == [
        PublisherFailed(publisher="the monitor", reason="down", error="PortmapError"),
        PublisherFailed(publisher="the monitor", reason="full", error="Refused"),
        PublisherOk(publisher="the monitor"),
    ]
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]


def test_a_fault_of_the_publishers_own_is_logged_with_its_traceback_once(
    seat: Seat, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    desk = seat(Converging(KeyError("oops"), KeyError("oops")), pace=QUICK)
    desk.handle(FOUND)
    eventually(lambda: desk.status.ok)
    assert [bool(record.exc_info) for record in caplog.records] == [True]


def test_publishers_are_not_told_of_publishers(seat: Seat) -> None:
    publisher = Publisher()
    desk = seat(publisher)
    desk.handle(PublisherFailed(publisher="another"))
    closed(desk)
    assert publisher.told == []


def test_a_publisher_that_cannot_say_its_name_has_that_of_its_entry_point(seat: Seat) -> None:
    class Nameless(Publisher):
        def __str__(self) -> str:
            raise ValueError("oops")

    assert [seat(it).status.publisher for it in (Publisher(), Nameless())] == ["acme", "acme"]


# The loop --------------------------------------------------------------------------------------------------------


def hour(*desks: PublisherRunner) -> Recording:
    """An hour of the real loop, whose every event goes to the desks in the loop's own thread."""

    class Backend(ScriptedBackend):
        def _hear(self, hook: str, *arguments: object) -> None:
            for desk in desks:
                desk.handle(GatewayFound(gateway=str(self.inbox.seconds)))
            super()._hear(hook, *arguments)

    return play(Backend(), [(0, Register(PortRequest(Protocol.TCP, 80)))], end=3600)


def test_a_publisher_that_hangs_or_fails_for_an_hour_costs_no_renewal(seat: Seat, release: threading.Event) -> None:
    hung = seat(Converging(first=lambda: release.wait(LONG)), "hung", QUICK)
    failing = seat(Converging(*[PortmapError(str(number)) for number in range(9999)]), "failing", QUICK)
    alone, beside = hour(), hour(hung, failing)
    assert beside.events == alone.events
    assert len(beside.of("mapping.renewed")) >= 11
