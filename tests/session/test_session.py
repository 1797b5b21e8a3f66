"""Session: waiting, what holds, events, adding and removing ports."""

import threading
from collections.abc import Callable
from ipaddress import IPv4Address

import pytest
from tests.session.sessions import DNS, LONG, WEB, Open, names
from tests.stopwatch import Stopwatch

import portmap
from portmap.backends.nat import Nat
from portmap.backends.none import NoNat
from portmap.errors import (
    Conflict,
    GatewayTimeout,
    NoGateway,
    OutOfResources,
    PluginError,
    PortmapError,
    SpecError,
)
from portmap.hookspecs import hookimpl
from portmap.model import Address, Grant, Kind, Mapping, PortRequest, Protocol
from portmap.node.local_node import LocalNode
from portmap.session.event_stream import BACKLOG
from portmap.session.state import SessionState
from portmap.testing.scripted import ScriptedBackend

SOON = 0.05
Eventually = Callable[[Callable[[], object]], None]


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
    with pytest.raises(PortmapError, match=r"ended because of an internal error: LookupError\('oops'\)"):
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
