"""The library's front: sessions, against a scripted gateway in real time."""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from tests.stopwatch import Stopwatch

import portmap
from portmap.backends.nat import Nat
from portmap.backends.none import NoNat
from portmap.dispatch.path_setup import PathSetup
from portmap.errors import (
    Conflict,
    GatewayTimeout,
    NoGateway,
    NotAuthorized,
    OutOfResources,
    PluginError,
    PortmapError,
    SpecError,
)
from portmap.events import Event
from portmap.hookspecs import hookimpl
from portmap.model import Address, Grant, Kind, Mapping, PortRequest, Protocol
from portmap.node.local_node import LocalNode, Record
from portmap.publishers.runner import PublisherRunner
from portmap.session.event_stream import BACKLOG
from portmap.session.session import Session
from portmap.session.state import SessionState
from portmap.storage.status_file import live_sessions
from portmap.testing import Quirks, Router, loopback_address
from portmap.testing.scripted import ScriptedBackend

LONG = 5.0  # seconds, that no test here waits out
SOON = 0.05
WEB, DNS = PortRequest(Protocol.TCP, 8080, name="web"), PortRequest(Protocol.UDP, 53)
Eventually = Callable[[Callable[[], object]], None]


class Publisher:
    """Notes what it is told."""

    def __init__(self, first: Callable[[], object] = lambda: None) -> None:
        self.first = first
        self.told: list[Event] = []

    @hookimpl
    def on_event(self, event: Event) -> None:
        self.first()
        self.told.append(event)


class Signer(Publisher):
    """Signs, too."""

    @hookimpl
    def sign_record(self, record: Record) -> str:
        return f"signed {record.seq}"


class Open:
    """Opens sessions and closes them after the test."""

    def __init__(self) -> None:
        self.sessions: list[Session] = []

    def __call__(self, backend: Any, *requests: PortRequest, publishers: tuple[Publisher, ...] = ()) -> Session:
        desks = [PublisherRunner(publisher, f"publisher {number}") for number, publisher in enumerate(publishers)]
        session = Session([PathSetup(Nat(backend, "fake"))], requests, desks)
        self.sessions.append(session)
        return session


@pytest.fixture
def start() -> Iterator[Open]:
    opened = Open()
    yield opened
    for session in opened.sessions:
        session.close()


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """What hung plugins wait for."""
    event = threading.Event()
    yield event
    event.set()


def names(session: Session) -> list[str]:
    """The names of all its events, to the end."""
    return [event.event for event in session.events()]


def refusing(error: Callable[[], Exception]) -> ScriptedBackend:
    return ScriptedBackend().fails(0, 1, error, "add_mapping")


# waiting


def test_wait_returns_the_open_ports(start: Open) -> None:
    assert start(ScriptedBackend(), WEB, DNS).wait(LONG) == (
        Mapping(Protocol.TCP, 8080, 8080, 600, IPv4Address("1.2.3.4"), "web"),
        Mapping(Protocol.UDP, 53, 53, 600, IPv4Address("1.2.3.4")),
    )


def test_with_nothing_to_wait_for_wait_returns_at_once(start: Open) -> None:
    assert start(ScriptedBackend()).wait(LONG) == ()


@pytest.mark.parametrize("error", [Conflict("taken"), OutOfResources("full"), PluginError("broken")])
def test_wait_raises_what_the_port_failed_with(start: Open, error: PortmapError) -> None:
    with pytest.raises(type(error), match=str(error)):
        start(refusing(lambda: error), WEB).wait(SOON)


def test_wait_raises_what_the_gateway_is_lost_for(start: Open) -> None:
    with pytest.raises(NoGateway, match="no answer"):
        start(ScriptedBackend().fails(0, 1, lambda: NoGateway("no answer"), ""), WEB).wait(SOON)


def test_wait_for_a_hung_backend_says_what_is_missing(start: Open, release: threading.Event) -> None:
    backend = ScriptedBackend().fails(0, 1, lambda: NoGateway(str(release.wait(LONG))), "")
    with pytest.raises(GatewayTimeout, match=r"the scripted gateway has not mapped TCP 8080 within 0.05 s"):
        start(backend, WEB).wait(SOON)


def test_wait_on_a_session_that_has_ended_says_so(start: Open) -> None:
    session = start(ScriptedBackend(), WEB)
    session.wait(LONG)
    session.close()
    with pytest.raises(GatewayTimeout, match="has not mapped TCP 8080 before the session ended"):
        session.wait(LONG)


def test_wait_needs_no_patience_limit(start: Open) -> None:
    assert len(start(ScriptedBackend(), WEB).wait()) == 1


def test_wait_without_a_nat_is_over_at_once(start: Open) -> None:
    session = start(NoNat(), WEB)
    assert (session.wait(LONG), session.kind) == ((), Kind.NONE)


def test_a_fault_while_the_address_is_known_is_raised_by_wait(start: Open) -> None:
    class Lost:
        kind = Kind.STATIC

        @hookimpl
        def external_ip(self) -> Address:
            raise NoGateway("no such name")

        @hookimpl
        def add_mapping(self) -> Grant:
            raise NotImplementedError

        @hookimpl
        def delete_mapping(self) -> None:
            raise NotImplementedError

    with pytest.raises(NoGateway, match="no such name"):
        start(Lost(), WEB).wait(LONG)


def test_a_fault_of_ours_is_raised_as_one(start: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise LookupError("oops")

    monkeypatch.setattr(SessionState, "apply", fail)
    with pytest.raises(PortmapError, match=r"ended by a fault: LookupError\('oops'\)"):
        start(ScriptedBackend(), WEB).wait(LONG)


# what holds


def test_a_session_knows_what_holds(start: Open) -> None:
    session = start(ScriptedBackend(), WEB)
    session.wait(LONG)
    assert (session.external_ip, session.gateway) == (IPv4Address("1.2.3.4"), "the scripted gateway")


def test_before_the_first_word_nothing_is_known(start: Open, release: threading.Event) -> None:
    backend = ScriptedBackend().fails(0, 1, lambda: NoGateway(str(release.wait(LONG))), "")
    session = start(backend, WEB)
    assert (session.external_ip, session.mappings) == (None, ())


def test_the_record_follows(start: Open, eventually: Eventually) -> None:
    session = start(ScriptedBackend(), WEB, DNS)
    eventually(lambda: (session.record.tcp, session.record.udp) == (8080, 53))
    assert str(session.record.ip) == "1.2.3.4"


def test_the_record_of_a_nodes_owner_is_used() -> None:
    node = LocalNode(seq=41)
    node.set("x", 3)
    with portmap.open("none", ["8080"], node=node) as session:
        assert next(session.events()).event == "record.changed"
    assert (node.record.seq, node.record.get("x"), session.record.tcp) == (42, 3, 8080)


# events


def test_events_are_told_from_the_start_to_the_end(start: Open) -> None:
    session = start(ScriptedBackend(), WEB)
    session.wait(LONG)
    session.close()
    assert names(session) == [
        "gateway.found",
        "external_ip.changed",
        "mapping.added",
        "record.changed",
        "mapping.removed",
        "record.changed",
    ]


def test_an_early_and_a_late_reader_get_the_same_events(start: Open) -> None:
    session = start(ScriptedBackend(), WEB)
    early: list[str] = []
    listener = threading.Thread(target=lambda: early.extend(names(session)))
    listener.start()
    session.wait(LONG)
    session.close()
    listener.join(LONG)
    assert early == names(session)


def test_a_latecomer_hears_the_last_thousand(start: Open) -> None:
    session = start(ScriptedBackend())
    for _ in range(BACKLOG + 10):
        session._on_event(portmap.Event())
    session._on_event(last := portmap.Event())
    session.close()
    told = list(session.events())
    assert len(told) == BACKLOG
    assert told[-1] is last


def test_a_reader_that_ends_its_iteration_is_forgotten(start: Open) -> None:
    session = start(ScriptedBackend(), WEB)
    listener = session.events()
    next(listener)
    listener.close()  # type: ignore[attr-defined]  # it is a generator
    assert session._stream._subscribers == []


# adding and removing


def test_a_port_is_added_while_it_runs(start: Open) -> None:
    session = start(ScriptedBackend(), WEB)
    session.add("dns=5353:53/udp")
    assert {mapping.external_port for mapping in session.wait(LONG)} == {8080, 5353}


def test_a_port_added_as_text_gets_the_sessions_lease() -> None:
    backend = ScriptedBackend()
    with portmap.open(Nat(backend, "fake"), ["8080"], lease=20) as session:
        session.add("9090")
        assert {mapping.lifetime for mapping in session.wait(LONG)} == {20}


@pytest.mark.parametrize("mapping", ["8080", "1:8080", WEB, "http", "99999", "8080:9090"])
def test_nonsense_and_repetition_are_refused(start: Open, mapping: str | PortRequest) -> None:
    session = start(ScriptedBackend(), WEB)
    with pytest.raises(SpecError):
        session.add(mapping)
    assert len(session.wait(LONG)) == 1


def test_a_removed_port_is_shut(start: Open, eventually: Eventually) -> None:
    backend = ScriptedBackend()
    session = start(backend, WEB, DNS)
    session.wait(LONG)
    session.remove(WEB.key)
    eventually(lambda: list(backend.table) == [DNS.key])
    eventually(lambda: [mapping.key for mapping in session.mappings] == [DNS.key])


def test_a_removed_port_can_be_added_again(start: Open) -> None:
    session = start(ScriptedBackend(), WEB)
    session.wait(LONG)
    session.remove(WEB.key)
    session.add("80:8080")
    assert session._requests[WEB.key].external_port == 80


def test_to_remove_an_unknown_port_is_refused(start: Open) -> None:
    with pytest.raises(SpecError, match="UDP 53 was never asked for"):
        start(ScriptedBackend(), WEB).remove(DNS.key)


def test_to_remove_the_only_failing_port_ends_the_wait(start: Open) -> None:
    session = start(refusing(lambda: Conflict("taken")), WEB)
    threading.Timer(SOON, lambda: session.remove(WEB.key)).start()
    with Stopwatch() as watch:
        assert session.wait(LONG) == ()
    assert watch.seconds < LONG / 2


# the end


def test_the_end_deletes_what_is_held() -> None:
    backend = ScriptedBackend()
    with portmap.open(Nat(backend, "fake"), ["8080", "53/udp"]) as session:
        session.wait(LONG)
        assert len(backend.table) == 2
    assert backend.table == {}
    assert session.mappings == ()


def test_the_end_comes_after_an_exception_too() -> None:
    backend = ScriptedBackend()
    with suppress(LookupError), portmap.open(Nat(backend, "fake"), ["8080"]) as session:
        session.wait(LONG)
        raise LookupError
    assert backend.table == {}


def test_to_close_twice_is_harmless(start: Open) -> None:
    session = start(ScriptedBackend(), WEB)
    session.close()
    session.close()


def test_to_stop_returns_at_once_and_ends_the_events(start: Open) -> None:
    session = start(ScriptedBackend(), WEB)
    session.wait(LONG)
    session.stop()
    assert names(session)[-1] == "record.changed"


def test_a_session_with_a_hung_backend_ends_in_time(release: threading.Event) -> None:
    backend = ScriptedBackend()
    session = Session([PathSetup(Nat(backend, "fake"))], [WEB])
    session.wait(LONG)
    backend.fails(0, 1, lambda: NoGateway(str(release.wait(LONG))), "")
    with Stopwatch() as watch:
        session.close()
    assert watch.seconds < 3.5
    assert names(session)[-1] in {"mapping.removed", "record.changed"}


# publishers


def test_every_publisher_is_told_everything(start: Open) -> None:
    publishers = Publisher(), Publisher()
    session = start(ScriptedBackend(), WEB, publishers=publishers)
    session.wait(LONG)
    session.close()
    told = [name for name in names(session) if not name.startswith("publisher.")]  # their own news they know
    assert [[event.event for event in publisher.told] for publisher in publishers] == [told] * 2


def test_a_hung_publisher_delays_nothing(start: Open, release: threading.Event) -> None:
    hung, well = Publisher(lambda: release.wait(LONG)), Publisher()
    session = start(ScriptedBackend(), WEB, publishers=(hung, well))
    assert len(session.wait(LONG)) == 1
    session.close()
    assert "mapping.removed" in [event.event for event in well.told]


def test_a_raising_publisher_is_logged_and_harms_no_other(start: Open, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise LookupError("oops")

    session = start(ScriptedBackend(), WEB, publishers=(Publisher(fail),))
    session.wait(LONG)
    session.close()
    assert "publisher 0 failed" in caplog.text


def test_without_a_signer_a_record_is_told_unsigned(start: Open) -> None:
    session = start(ScriptedBackend(), WEB)
    session.wait(LONG)
    session.close()
    assert [event.to_dict().get("enr") for event in session.events() if event.event == "record.changed"] == [None] * 2


def test_a_signature_travels_with_the_record(start: Open) -> None:
    session = start(ScriptedBackend(), WEB, publishers=(Publisher(), Signer()))
    session.wait(LONG)
    session.close()
    changes = [event.to_dict() for event in session.events() if event.event == "record.changed"]
    assert [change["enr"] for change in changes] == [f"signed {change['seq']}" for change in changes]
    assert len(changes) == 2


# setting up


def test_all_public_names_are_there() -> None:
    assert [name for name in portmap.__all__ if not hasattr(portmap, name)] == []


def test_no_other_name_is() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = portmap.nothing


@pytest.mark.parametrize(
    ("nat", "mappings"), [("foo", []), ("extip", []), ("any:x", []), ("none", ["0"]), ("none", ["80", "80"])]
)
def test_what_makes_no_sense_opens_nothing(nat: str, mappings: list[str]) -> None:
    before = set(threading.enumerate())
    with pytest.raises(SpecError):
        portmap.open(nat, mappings)
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize("interval", [0, -1, float("nan")])
def test_an_interval_that_is_none_is_refused(interval: float) -> None:
    with pytest.raises(SpecError, match="use a number of seconds above 0"):
        portmap.open("none", ip_interval=interval)


def test_a_publisher_that_is_unknown_opens_nothing() -> None:
    with pytest.raises(SpecError, match="unknown publisher"):
        portmap.open("none", publish=["unknown"])


def test_a_static_session_announces_its_ports_as_static() -> None:
    with portmap.open("extip:1.2.3.4", ["443:8443", PortRequest(Protocol.UDP, 53)]) as session:
        opened = session.wait(LONG)
    assert [(mapping.external_port, mapping.static, mapping.lifetime) for mapping in opened] == [
        (443, True, 0),
        (53, True, 0),
    ]


def test_a_removed_port_that_was_never_open_leaves_the_status_at_once(tmp_path: Path) -> None:
    with (
        Router(loopback_address(), quirks=Quirks(pmp_result=2)) as router,
        portmap.open(f"pmp:{router.address}", ["8080"], state=tmp_path) as session,
    ):
        with pytest.raises(NotAuthorized):
            session.wait(LONG)
        session.remove((Protocol.TCP, 8080))
        assert [status.ports for status in live_sessions(tmp_path)] == [()]
