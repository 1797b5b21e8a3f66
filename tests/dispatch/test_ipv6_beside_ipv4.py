"""Two roads in one session: IPv4 mappings, and beside them the gateway's IPv6 firewall."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any, ClassVar

import pytest
from tests.stopwatch import Stopwatch

from portmap.backends.nat import Nat
from portmap.dispatch.path_setup import PathSetup, PinholeTranslator
from portmap.errors import NoGateway, SpecError
from portmap.events import (
    Event,
    ExternalIPChanged,
    GatewayFound,
    NetworkChanged,
    PortAdded,
    PortChanged,
    PortEvent,
    PortFailed,
    PortLost,
    PortRemoved,
    PortRenewed,
)
from portmap.hookspecs import hookimpl
from portmap.model import Address, Grant, Kind, Mapping, PortRequest, Protocol, Scope
from portmap.session.open import load_backends, path_setups
from portmap.session.session import Session

WEB = PortRequest(Protocol.TCP, 8080)
OURS = IPv6Address("2600:1f00::2")
LONG = 5.0


class Gateway:
    """Grants whatever is asked for, at one address; `trouble` may do what it likes first."""

    kind: ClassVar[Kind] = Kind.LOOP

    def __init__(self, address: Address, trouble: Callable[[], object] = bool) -> None:
        self._address = address
        self._trouble = trouble
        self.held: set[tuple[Protocol, int]] = set()

    def __str__(self) -> str:
        return f"gateway of {self._address}"

    @hookimpl
    def external_ip(self) -> Address:
        self._trouble()
        return self._address

    @hookimpl
    def add_mapping(self, protocol: Protocol, internal_port: int, lifetime: int) -> Grant:
        self._trouble()
        self.held.add((protocol, internal_port))
        return Grant(internal_port, lifetime)

    @hookimpl
    def delete_mapping(self, protocol: Protocol, internal_port: int) -> None:
        self.held.discard((protocol, internal_port))


def nowhere() -> None:
    raise NoGateway("this host has no global IPv6 address")


def pinholes(trouble: Callable[[], object] = bool, *, alone: bool = False) -> PathSetup:
    return PathSetup(Nat(Gateway(OURS, trouble), "six"), translate=PinholeTranslator(alone=alone))


@pytest.fixture
def start() -> Iterator[Callable[..., Session]]:
    with ExitStack() as stack:

        def start(*roads: PathSetup) -> Session:
            session = Session(roads, [WEB])
            stack.callback(session.close)
            return session

        yield start


Start = Callable[..., Session]


def mappings() -> PathSetup:
    return PathSetup(Nat(Gateway(IPv4Address("1.2.3.4")), "four"))


def until(session: Session, name: str) -> list[Event]:
    told = []
    for event in session.events():
        told.append(event)
        if event.event == name:
            break
    return told


def test_one_request_opens_the_mapping_and_the_pinhole(start: Start) -> None:
    session = start(mappings(), pinholes())
    until(session, "pinhole.added")
    session.wait(LONG)
    assert [(it.external_ip, it.external_port) for it in session.mappings] == [(IPv4Address("1.2.3.4"), 8080)]
    assert [(it.external_ip, it.external_port) for it in session.pinholes] == [(OURS, 8080)]


class Watched(Gateway):
    """A gateway whose restart is announced by `alert`, and that counts how often it is asked to map."""

    def __init__(self, address: Address) -> None:
        super().__init__(address)
        self.asked = threading.Semaphore(0)
        self.alert: Callable[[str], None] = lambda _: None

    @hookimpl
    def add_mapping(self, protocol: Protocol, internal_port: int, lifetime: int) -> Grant:
        self.asked.release()
        return Grant(internal_port, lifetime)

    @hookimpl
    def watch(self, alert: Callable[[str], None]) -> Callable[[], None]:
        self.alert = alert
        return lambda: None


@pytest.mark.parametrize("which", [0, 1])
def test_a_restart_that_one_path_learns_of_makes_the_other_ask_again_at_once(start: Start, which: int) -> None:
    gateways = Watched(IPv4Address("1.2.3.4")), Watched(OURS)
    four, six = (Nat(gateway, name) for gateway, name in zip(gateways, ("four", "six"), strict=True))
    session = start(PathSetup(four), PathSetup(six, translate=PinholeTranslator(alone=False)))
    assert all(gateway.asked.acquire(timeout=LONG) for gateway in gateways)
    gateways[which].alert("its epoch fell short")
    assert all(gateway.asked.acquire(timeout=LONG) for gateway in gateways)
    session.close()
    rebooted = [event for event in session.events() if event.event == "gateway.rebooted"]
    assert len(rebooted) == 1


def test_the_record_gets_both_addresses(start: Start) -> None:
    session = start(mappings(), pinholes())
    until(session, "pinhole.added")
    session.wait(LONG)
    ends = time.monotonic() + LONG
    while not (session.record.ip and session.record.ip6) and time.monotonic() < ends:
        until(session, "record.changed")
    assert (session.record.ip, session.record.ip6) == (IPv4Address("1.2.3.4"), OURS)
    assert (session.record.tcp, session.record.tcp6) == (8080, None)  # EIP-778: the same for both


def test_a_hung_ipv6_gateway_delays_no_mapping(start: Start) -> None:
    release = threading.Event()
    session = start(mappings(), pinholes(lambda: release.wait(LONG)))
    with Stopwatch() as watch:
        session.wait(LONG)
    assert watch.seconds < LONG / 2
    release.set()


def test_without_ipv6_nothing_is_said_of_it(start: Start) -> None:
    session = start(mappings(), pinholes(nowhere))
    session.wait(LONG)
    session.stop()
    told = list(session.events())
    assert not [event for event in told if event.event in ("gateway.lost", "pinhole.failed")]


def test_where_only_ipv6_was_asked_for_its_trouble_is_told(start: Start) -> None:
    session = start(pinholes(nowhere, alone=True))
    with pytest.raises(NoGateway, match="no global IPv6 address"):
        session.wait(0.5)


def test_where_only_ipv6_was_asked_for_the_pinholes_are_waited_for(start: Start) -> None:
    (pinhole,) = start(pinholes(alone=True)).wait(LONG)
    assert pinhole.external_ip == OURS


@pytest.mark.parametrize("mapping", ["8123@192.168.1.50", "follow"])
def test_where_only_ipv6_is_asked_what_has_no_pinhole_is_refused(start: Start, mapping: str) -> None:
    session = start(pinholes(alone=True))
    with pytest.raises(SpecError, match="leads to no port of this host, so it has no IPv6 pinhole: leave out -6"):
        session.add(mapping)


def test_both_roads_are_cleaned_up(start: Start) -> None:
    four, six = Gateway(IPv4Address("1.2.3.4")), Gateway(OURS)
    session = start(PathSetup(Nat(four, "four")), PathSetup(Nat(six, "six"), translate=PinholeTranslator(alone=False)))
    until(session, "pinhole.added")
    session.wait(LONG)
    session.close()
    assert (four.held, six.held) == (set(), set())
    assert [event for event in session.events() if event.event == "pinhole.removed"]


def test_a_port_that_is_let_go_is_shut_on_both_roads(start: Start) -> None:
    session = start(mappings(), pinholes())
    until(session, "pinhole.added")
    session.wait(LONG)
    session.remove(WEB.key)
    until(session, "pinhole.removed")
    assert session.pinholes == ()


# the voice


OPEN = PortAdded.of(Mapping(Protocol.TCP, 8080, 8080, 120, OURS))


def test_a_mapping_of_that_road_is_a_pinhole() -> None:
    told = PinholeTranslator(alone=True)(OPEN)
    assert isinstance(told, PortAdded)
    assert (told.event, told.external_ip, told.external_port) == ("pinhole.added", OURS, 8080)


@pytest.mark.parametrize("kind", [PortAdded, PortChanged, PortRenewed, PortFailed, PortLost, PortRemoved])
def test_every_word_about_a_mapping_has_one_about_a_pinhole(kind: type[PortEvent]) -> None:
    event = kind(protocol=Protocol.TCP, internal_port=1, reason="why")
    said = PinholeTranslator(alone=True)(event)
    assert isinstance(said, kind)
    assert (said.event, said.reason) == (event.event.replace("mapping", "pinhole"), "why")


def test_beside_ipv4_failures_are_told_once_a_gateway_was_found() -> None:
    voice = PinholeTranslator(alone=False)
    failed = PortFailed(protocol=Protocol.TCP, internal_port=1, reason="refused")
    assert voice(failed) is None
    assert voice(GatewayFound(gateway="G")) is not None
    assert isinstance(voice(failed), PortFailed)


def test_what_the_other_road_says_as_well_is_said_once() -> None:
    address = ExternalIPChanged(external_ip=OURS, scope=Scope.PUBLIC)
    assert PinholeTranslator(alone=False)(address) is None
    assert PinholeTranslator(alone=False)(NetworkChanged(reason="moved")) is None
    assert PinholeTranslator(alone=True)(address) is address


# which roads there are


def test_without_ipv4_a_backend_must_know_ipv6() -> None:
    with pytest.raises(SpecError, match="knows no IPv6"):
        load_backends("pmp", ipv4=False, ipv6=True)


def test_neither_family_is_a_mistake() -> None:
    with pytest.raises(SpecError, match="both switched off"):
        load_backends("pmp", ipv4=False, ipv6=False)


def test_a_backend_that_knows_no_ipv6_has_one_road() -> None:
    assert len(load_backends("pmp", ipv4=True, ipv6=True)) == 1


def test_the_roads_remember_apart(tmp_path: Path) -> None:
    backends: tuple[Any, ...] = (Nat(Gateway(IPv4Address("1.2.3.4")), "four"), Nat(Gateway(OURS), "six"))
    four, six = path_setups(backends, ipv4=True, state=tmp_path)
    assert (four.ipv6, six.ipv6) == (False, True)
    assert {path.parent.relative_to(tmp_path) for path in tmp_path.rglob("*.lock")} == {Path(), Path("ipv6")}
    for road in (four, six):
        assert road.state is not None
        road.state.close()
