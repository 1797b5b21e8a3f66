"""Publishers at their desks: each in a thread of its own, each harming only itself."""

import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from portmap.errors import GatewayTimeout, PluginError, SpecError
from portmap.events import Event, GatewayFound
from portmap.hookspecs import hookimpl
from portmap.node import Record
from portmap.publishing import Desk, open_desk

LONG = 5.0  # seconds, that no test here waits out
FOUND = GatewayFound(gateway="g")
Eventually = Callable[[Callable[[], object]], None]


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


def closed(desk: Desk) -> None:
    desk.close()
    desk.join(LONG)


def signature(signer: Signer) -> str:
    """What a desk says a record's signature is."""
    texts: list[str] = []
    desk = Desk(signer, "acme")
    desk.sign(Record(7), texts.append)
    closed(desk)
    (text,) = texts
    return text


def test_a_publisher_is_told_in_order_in_a_thread_of_its_own() -> None:
    publisher = Publisher()
    desk = Desk(publisher, "acme")
    events = [GatewayFound(gateway=str(number)) for number in range(10)]
    for event in events:
        desk.tell(event)
    closed(desk)
    assert (publisher.told, publisher.thread) == (events, "portmap acme")


def test_what_was_told_before_the_end_is_still_delivered() -> None:
    publisher = Publisher()
    desk = Desk(publisher, "acme")
    desk.tell(FOUND)
    closed(desk)
    assert publisher.told == [FOUND]


def test_telling_a_hung_publisher_does_not_block(release: threading.Event) -> None:
    desk = Desk(Publisher(lambda: release.wait(LONG)), "acme")
    for _ in range(1000):
        desk.tell(FOUND)


def test_a_hung_publisher_is_left_behind_with_a_word(
    release: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(Publisher(lambda: release.wait(LONG)), "acme")
    desk.tell(FOUND)
    desk.close()
    desk.join(0.01)
    assert "acme is still busy and is left behind" in caplog.text


@pytest.mark.parametrize("error", [ValueError("oops"), GatewayTimeout("oops"), SystemExit("oops")])
def test_what_a_publisher_raises_is_logged_with_its_name(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(Publisher(raising(error)), "acme")
    desk.tell(FOUND)
    closed(desk)
    assert "acme" in caplog.text
    assert "oops" in caplog.text


@pytest.mark.parametrize("error", [ValueError("oops"), SystemExit("oops")])
def test_a_publisher_that_raised_is_told_the_next_event(error: BaseException) -> None:
    publisher = Publisher(raising(error))
    desk = Desk(publisher, "acme")
    desk.tell(FOUND)
    publisher.first = lambda: None
    desk.tell(FOUND)
    closed(desk)
    assert FOUND in publisher.told


def test_who_has_no_signing_hook_does_not_sign() -> None:
    desks = [Desk(Publisher(), "mute"), Desk(Signer(), "signer")]
    assert [desk.signs for desk in desks] == [False, True]
    for desk in desks:
        closed(desk)


def test_a_record_comes_back_signed() -> None:
    assert signature(Signer()) == "signed 7"


@pytest.mark.parametrize("error", [ValueError("oops"), SystemExit("oops")])
def test_a_signature_that_fails_is_empty_and_logged(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "portmap"):
        assert signature(Signer(raising(error))) == ""
    assert "acme could not sign the record" in caplog.text


@pytest.mark.parametrize("answer", [None, 5, b"enr:"])
def test_a_signature_that_is_no_text_is_none(answer: object) -> None:
    assert signature(Signer(lambda _: answer)) == ""


def test_an_unknown_publisher_is_the_users_mistake() -> None:
    with pytest.raises(SpecError, match="unknown publisher 'emr': did you mean 'enr'"):
        open_desk("emr:key")


def test_a_publisher_without_its_hook_is_the_authors() -> None:
    with pytest.raises(PluginError, match="lacks the hook on_event"):
        Desk(object(), "acme")


def test_the_thread_ends_with_the_desk(eventually: Eventually) -> None:
    closed(Desk(Publisher(), "closing"))
    eventually(lambda: "portmap closing" not in [thread.name for thread in threading.enumerate()])
