"""The dispatcher and its paths: none, static, loop, by the backend's declared kind."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from math import inf
from typing import Any, ClassVar

import pytest
from tests.stopwatch import Stopwatch

import portmap
from portmap.backends.nat import Nat
from portmap.backends.none import NoNat
from portmap.dispatch.path_setup import PathSetup
from portmap.dispatch.port_mapping import PortMapping, setup_port_mapping
from portmap.dispatch.static_path import StaticPath
from portmap.errors import GatewayTimeout, NoGateway, SpecError
from portmap.events import Event
from portmap.hookspecs import hookimpl
from portmap.loop.inbox import Message, NetworkAlert, Register
from portmap.loop.policy import Policy
from portmap.model import Address, Grant, Kind, PortRequest, Protocol
from portmap.node.local_node import LocalNode, Record
from portmap.testing.clock import ScriptedInbox
from portmap.testing.scripted import Recording, ScriptedBackend

LONG = 5.0  # seconds, that no test here waits out
WEB, DNS = PortRequest(Protocol.TCP, 8080), PortRequest(Protocol.UDP, 53)
Eventually = Callable[[Callable[[], object]], None]


class Observer:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.records: list[Record] = []
        self.ended: list[BaseException | None] = []

    def on_event(self, event: Event) -> None:
        self.events.append(event)

    def on_record(self, record: Record) -> None:
        self.records.append(record)

    def on_settled(self) -> None:
        pass

    def on_end(self, error: BaseException | None) -> None:
        self.ended.append(error)

    def names(self) -> list[str]:
        return [event.event for event in self.events]


class Known:
    """A static backend; `trouble` may do what it likes."""

    kind: ClassVar[Kind] = Kind.STATIC

    def __init__(self, address: str = "1.2.3.4", trouble: Callable[[], object] = lambda: None) -> None:
        self.address = IPv4Address(address)
        self.trouble = trouble

    @hookimpl
    def external_ip(self) -> Address:
        self.trouble()
        return self.address

    @hookimpl
    def add_mapping(self, external_port: int, internal_port: int) -> Grant:
        return Grant(external_port or internal_port, 0)

    @hookimpl
    def delete_mapping(self) -> None:
        pass


@pytest.fixture
def observer() -> Observer:
    return Observer()


@pytest.fixture
def node() -> LocalNode:
    return LocalNode(clock=lambda: 0)


@pytest.fixture
def start(observer: Observer, node: LocalNode) -> Iterator[Callable[..., PortMapping]]:
    """Starts a path with these requests in its inbox; ends it after the test."""
    started: list[PortMapping] = []

    def run(backend: Any, *requests: PortRequest, policy: Policy | None = None) -> PortMapping:
        running = PortMapping(PathSetup(Nat(backend, "fake")), node, observer, policy)
        for request in requests:
            running.register(request)
        running.start()
        started.append(running)
        return running

    yield run
    for running in started:
        running.stop()
        assert running.join(LONG)


TOLD = ["external_ip.changed", "mapping.added"]


def no_name(since: float, until: float) -> "Scripted":
    """A name that has no address for so long."""
    return Scripted().fails(since, until, lambda: NoGateway("no such name"), "external_ip")


Start = Callable[..., PortMapping]
Static = Callable[..., None]


def stopped(running: PortMapping) -> None:
    running.stop()
    assert running.join(LONG)


@pytest.fixture
def static(start: Start, observer: Observer, eventually: Eventually) -> Callable[..., None]:
    """Runs the static path until so many ports were told, and ends it."""

    def run(backend: Known, *requests: PortRequest) -> None:
        running = start(backend, *requests)
        eventually(lambda: len(observer.events) > len(requests) and observer.records)
        stopped(running)

    return run


# none


def test_without_a_nat_requests_are_consumed_and_nothing_is_told(start: Start, observer: Observer) -> None:
    stopped(start(NoNat(), WEB, DNS))
    assert observer.names() == []


def test_without_a_nat_the_record_keeps_the_local_ports(start: Start, observer: Observer) -> None:
    stopped(start(NoNat(), WEB, DNS))
    assert [(record.tcp, record.udp, record.ip) for record in observer.records] == [(8080, 53, None)]


def test_without_a_nat_that_is_logged_once(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "portmap"):
        stopped(start(NoNat(), WEB, DNS))
    assert caplog.text.count("no gateway is asked: requests are consumed") == 1


def test_without_a_nat_a_port_can_be_let_go(start: Start, node: LocalNode, eventually: Eventually) -> None:
    running = start(NoNat(), WEB)
    eventually(lambda: node.record.tcp == 8080)
    running.unregister(WEB.key)
    eventually(lambda: node.record.tcp is None)


# static


def test_a_known_address_is_told_and_every_port_taken_as_forwarded(static: Static, observer: Observer) -> None:
    static(Known(), WEB, DNS)
    assert observer.names() == ["external_ip.changed", *["mapping.added"] * 2, *["mapping.removed"] * 2]
    assert [event.to_dict().get("static") for event in observer.events] == [None, True, True, True, True]


def test_a_port_forwarded_elsewhere_by_hand_is_told_as_such(static: Static, observer: Observer) -> None:
    static(Known(), PortRequest(Protocol.TCP, 8443, 443))
    told = observer.events[1].to_dict()
    assert (told["external_port"], told["lifetime"], told["external_ip"]) == (443, 0, "1.2.3.4")


def test_address_and_ports_make_one_record(static: Static, observer: Observer) -> None:
    static(Known(), WEB, DNS)
    first = observer.records[0]
    assert (str(first.ip), first.tcp, first.udp) == ("1.2.3.4", 8080, 53)


PRIVATE_ALLOWED = Policy(ip_interval=60, allow_private=True)


def test_an_address_given_by_hand_that_is_not_public_enters_the_record_where_that_is_allowed() -> None:
    told = play_static(Scripted().moves(0, "192.168.1.5"), WEB, end=70, policy=PRIVATE_ALLOWED)
    assert (str(told.records[0].ip), told.records[0].tcp) == ("192.168.1.5", 8080)


@pytest.mark.parametrize("address", ["192.168.1.7", "10.0.0.1", "100.64.3.9", "127.0.0.1", "169.254.1.1", "192.0.2.1"])
def test_an_address_given_by_hand_that_is_not_public_is_refused_and_the_option_is_named(address: str) -> None:
    told = play_static(Scripted().moves(0, address), WEB, end=70)
    assert told.names() == ["external_ip.failed"]
    assert told.records == []
    reason = str(told.events[0][1].to_dict()["reason"])
    assert "is not public: " in reason
    assert reason.endswith("--allow-private announces it all the same")


def test_a_static_port_can_be_let_go(start: Start, observer: Observer, eventually: Eventually) -> None:
    running = start(Known(), WEB, DNS)
    running.unregister(WEB.key)
    eventually(lambda: "mapping.removed" in observer.names())


def test_a_hung_static_backend_does_not_hold_up_the_stop(start: Start, observer: Observer) -> None:
    asked, release = threading.Event(), threading.Event()

    def hang() -> None:
        asked.set()
        release.wait(LONG)

    running = start(Known(trouble=hang), WEB)
    asked.wait(LONG)
    with Stopwatch() as watch:
        stopped(running)
    release.set()
    assert watch.seconds < 0.1
    assert observer.ended == [None]


# static, on scripted time


class Scripted(ScriptedBackend):
    """A static backend that follows a script."""

    kind: ClassVar[Kind] = Kind.STATIC


class OnlyLearns(Scripted):
    """As STUN: it learns the address, and opens nothing."""

    opens_ports: ClassVar[bool] = False

    @hookimpl
    def evidence(self) -> tuple[str, ...]:
        return ("a.example says so",)


class Played(Recording):
    """What a played static path told; with the node that followed it."""

    def __init__(self, backend: Scripted) -> None:
        super().__init__(backend.inbox)
        self.node = LocalNode(clock=lambda: 0)
        self.records: list[Record] = []
        self._followed = 0

    def on_settled(self) -> None:
        record = self.node.follow([event for _, event in self.events[self._followed :]])
        self._followed = len(self.events)
        self.records += [record] if record else []

    def seconds(self, name: str) -> list[float]:
        return [at for at, _ in self.of(name)]


def play_static(
    backend: Scripted,
    *requests: PortRequest,
    end: float,
    policy: Policy = Policy(ip_interval=60),  # noqa: B008  # frozen
    later: Iterable[tuple[float, Message]] = (),
) -> Played:
    """Run the real path, with a real Nat, on scripted time."""
    inbox = backend.inbox = ScriptedInbox([*((0, Register(request)) for request in requests), *later], end=end)
    told = Played(backend)
    StaticPath(Nat(backend, "scripted"), inbox, told.node, told, policy, random=lambda: 0.0).run()
    return told


def test_a_known_address_is_asked_for_again_at_every_check() -> None:
    backend = Scripted()
    play_static(backend, end=100, policy=Policy(ip_interval=30))
    assert [call.at for call in backend.calls] == [0, 30, 60, 90]


def test_an_address_that_stays_is_told_once() -> None:
    assert play_static(Scripted(), WEB, end=1000).names() == [*TOLD, "mapping.removed"]


def test_an_address_that_moves_is_told_for_itself_and_for_each_port() -> None:
    told = play_static(Scripted().moves(50, "5.6.7.8"), WEB, DNS, end=70)
    assert told.names()[3:6] == ["external_ip.changed", *["mapping.changed"] * 2]
    moved = [event.to_dict()["external_ip"] for at, event in told.events if at == 60]
    assert moved == ["5.6.7.8"] * 3


def test_an_address_that_moves_makes_one_new_record() -> None:
    told = play_static(Scripted().moves(50, "192.168.1.5"), WEB, end=70, policy=PRIVATE_ALLOWED)
    assert [(str(record.ip), record.tcp) for record in told.records[:2]] == [("1.2.3.4", 8080), ("192.168.1.5", 8080)]


def test_an_address_of_the_other_family_takes_the_ones_place_in_the_record() -> None:
    class Moves(Scripted):
        @hookimpl
        def external_ip(self) -> Address:
            return IPv4Address("1.2.3.4") if self.inbox.seconds < 60 else IPv6Address("2606:4700::1")

    told = play_static(Moves(), WEB, end=70)
    assert [(str(record.ip), str(record.ip6)) for record in told.records[:2]] == [
        ("1.2.3.4", "None"),
        ("None", "2606:4700::1"),
    ]


def test_a_path_without_an_address_goes_on_and_announces_its_ports_when_it_has_one() -> None:
    told = play_static(no_name(0, 6), WEB, end=20)
    assert told.names() == ["external_ip.failed", *TOLD, "mapping.removed"]
    assert told.seconds("mapping.added") == [7]


def test_an_address_that_cannot_be_had_is_asked_for_ever_less_often_but_never_less_than_usual() -> None:
    backend = no_name(0, 200)
    play_static(backend, end=150, policy=Policy(ip_interval=30))
    assert [call.at for call in backend.calls] == [0, 1, 3, 7, 15, 31, 61, 91, 121]


def test_an_address_that_is_lost_stays_what_it_was_and_is_told_once_a_reason() -> None:
    backend = no_name(50, 100).fails(100, 150, lambda: GatewayTimeout("the name server is silent"), "external_ip")
    told = play_static(backend, WEB, end=300)
    failed = [event.to_dict() for _, event in told.of("external_ip.failed")]
    assert [(it["error"], it["external_ip"]) for it in failed] == [
        ("NoGateway", "1.2.3.4"),
        ("GatewayTimeout", "1.2.3.4"),
    ]
    assert told.names() == [*TOLD, *["external_ip.failed"] * 2, "mapping.removed"]


def test_an_address_that_comes_back_is_no_news() -> None:
    told = play_static(no_name(50, 70), WEB, end=300)
    assert told.names() == [*TOLD, "external_ip.failed", "mapping.removed"]


def test_a_backend_that_breaks_its_contract_is_a_failure_and_no_end() -> None:
    told = play_static(Scripted().fails(0, 5, lambda: LookupError("oops"), "external_ip"), WEB, end=20)
    ((_, failed),) = told.of("external_ip.failed")
    assert failed.to_dict()["error"] == "PluginError"
    assert told.names()[1:] == [*TOLD, "mapping.removed"]


def test_a_port_that_the_backend_would_not_take_is_told_once_and_tried_at_every_check() -> None:
    told = play_static(Scripted().refuse(0, 150), WEB, end=300)
    assert told.names() == ["external_ip.changed", "mapping.failed", "mapping.added", "mapping.removed"]
    assert told.seconds("mapping.added") == [180]


def test_a_suspended_machine_looks_at_once_when_it_wakes() -> None:
    backend = Scripted()
    play_static(backend, end=20, later=[(10, NetworkAlert("it was suspended"))])
    assert [call.at for call in backend.calls] == [0, 10]


def test_a_port_asked_for_again_with_another_external_port_is_a_change() -> None:
    told = play_static(Scripted(), WEB, end=20, later=[(10, Register(replace(WEB, external_port=80)))])
    assert told.names() == [*TOLD, "mapping.changed", "mapping.removed"]
    assert told.events[2][1].to_dict()["external_port"] == 80


# static, and nothing is opened


def test_a_backend_that_only_learns_the_address_fails_every_port_once_and_opens_none() -> None:
    told = play_static(OnlyLearns().refuse(0, inf, "it only learns the address"), WEB, DNS, end=300)
    assert told.names() == ["external_ip.changed", *["mapping.failed"] * 2]
    assert {event.to_dict()["reason"] for _, event in told.of("mapping.failed")} == {"it only learns the address"}


def test_a_port_granted_by_a_backend_that_only_learns_the_address_is_not_open() -> None:
    told = play_static(OnlyLearns(), WEB, end=300)
    assert told.names() == ["external_ip.changed", "mapping.failed"]
    assert "opens no port" in str(told.events[1][1].to_dict()["reason"])


def test_a_learnt_address_enters_the_record_as_a_gateways_does_without_ports() -> None:
    (record,) = play_static(OnlyLearns(), WEB, end=1).records
    assert (str(record.ip), record.tcp) == ("1.2.3.4", None)


def test_a_learnt_address_that_is_not_public_stays_out_of_the_record_and_is_told_with_its_meaning() -> None:
    told = play_static(OnlyLearns().moves(0, "100.64.1.2"), end=1)
    said = told.events[0][1].to_dict()
    assert (said["scope"], told.records) == ("cgnat", [])
    assert "a.example says so; double NAT" in str(said["reason"])


def test_where_no_address_is_learnt_the_ports_are_said_to_be_shut_all_the_same() -> None:
    backend = OnlyLearns().fails(0, 100, lambda: NoGateway("no answer"), "external_ip")
    assert play_static(backend, WEB, end=50).names() == ["external_ip.failed", "mapping.failed"]


# the loop


def test_a_leasing_backend_gets_the_loop(start: Start, observer: Observer, eventually: Eventually) -> None:
    backend = ScriptedBackend()
    running = start(backend, WEB, DNS)
    eventually(lambda: observer.names().count("mapping.added") == 2)
    stopped(running)
    assert backend.table == {}


def test_the_node_is_told_first(start: Start, observer: Observer, node: LocalNode, eventually: Eventually) -> None:
    start(ScriptedBackend(), WEB)
    eventually(lambda: observer.records)
    assert node.record is observer.records[-1]


def test_a_second_stop_gives_up_the_cleaning_up_and_is_no_fault(
    start: Start, observer: Observer, eventually: Eventually
) -> None:
    release = threading.Event()

    class Stuck(ScriptedBackend):
        @hookimpl
        def delete_mapping(self, protocol: Protocol, external_port: int, internal_port: int) -> None:
            deleting.set()
            release.wait(LONG)

    deleting = threading.Event()
    running = start(Stuck(), WEB, policy=Policy(clean_up=LONG))
    eventually(lambda: "mapping.added" in observer.names())
    running.stop()
    deleting.wait(LONG)
    stopped(running)
    release.set()
    assert observer.ended == [None]


def test_a_stop_while_a_port_is_let_go_still_deletes_it(
    start: Start, observer: Observer, eventually: Eventually
) -> None:
    class Slow(ScriptedBackend):
        @hookimpl
        def delete_mapping(self, protocol: Protocol, external_port: int, internal_port: int) -> None:
            deleting.set()
            release.wait(LONG)
            super().delete_mapping(protocol, external_port, internal_port)

    deleting, release = threading.Event(), threading.Event()
    backend = Slow()
    running = start(backend, WEB)
    eventually(lambda: "mapping.added" in observer.names())
    running.unregister(WEB.key)
    deleting.wait(LONG)
    running.stop()
    release.set()
    assert running.join(LONG)
    assert observer.names()[-1] == "mapping.removed"


def test_an_attempt_that_a_stop_interrupts_is_deleted_when_it_ends_late(start: Start) -> None:
    class Late(ScriptedBackend):
        @hookimpl
        def add_mapping(self, protocol: Protocol, external_port: int, internal_port: int, lifetime: int) -> Grant:
            asked.set()
            time.sleep(0.1)
            return super().add_mapping(protocol, external_port, internal_port, lifetime)

    asked = threading.Event()
    backend = Late()
    running = start(backend, WEB)
    asked.wait(LONG)
    stopped(running)
    assert [call.hook for call in backend.calls] == ["external_ip", "add_mapping", "delete_mapping"]
    assert backend.table == {}


def test_a_fault_of_an_observer_ends_the_path_and_is_told(start: Start, observer: Observer) -> None:
    def fail(event: Event) -> None:
        raise LookupError("oops")

    observer.on_event = fail  # type: ignore[method-assign]  # for this one test
    assert start(ScriptedBackend(), WEB).join(LONG)
    assert [type(error) for error in observer.ended] == [LookupError]


# setting up


def test_a_spec_will_do(node: LocalNode, observer: Observer, eventually: Eventually) -> None:
    running = setup_port_mapping("extip:1.2.3.4", node, observer)
    running.register(WEB)
    eventually(lambda: observer.records)
    stopped(running)


def test_an_observer_is_optional(node: LocalNode, eventually: Eventually) -> None:
    running = portmap.setup_port_mapping(Nat(ScriptedBackend(), "fake"), node)
    running.register(WEB)
    eventually(lambda: node.record.tcp == 8080)
    stopped(running)
    assert node.record.tcp is None


def test_a_spec_that_makes_no_sense_starts_nothing(node: LocalNode) -> None:
    before = set(threading.enumerate())
    with pytest.raises(SpecError):
        setup_port_mapping("foo", node)
    assert set(threading.enumerate()) <= before
