"""The dispatcher and its paths: none, static, loop, by the backend's declared kind."""

import threading
import time
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from typing import Any, ClassVar

import pytest

import portmap
from portmap.builtin import NoNat
from portmap.dispatch import PortMapping, setup_port_mapping
from portmap.errors import NoGateway, SpecError
from portmap.events import Event
from portmap.hookspecs import hookimpl
from portmap.model import Address, Grant, Kind, PortRequest, Protocol
from portmap.nat import Nat
from portmap.node import LocalNode, Record
from portmap.policy import Policy
from portmap.testing.scripted import ScriptedBackend

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
        running = PortMapping(Nat(backend, "fake"), node, observer, policy)
        for request in requests:
            running.register(request)
        running.start()
        started.append(running)
        return running

    yield run
    for running in started:
        running.stop()
        assert running.join(LONG)


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
    assert caplog.text.count("no NAT is spoken to: requests are consumed") == 1


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


def test_a_known_address_is_the_users_own_word_whatever_its_scope(static: Static, observer: Observer) -> None:
    static(Known("192.168.1.5"), WEB)
    assert str(observer.records[0].ip) == "192.168.1.5"


def test_a_static_port_can_be_let_go(start: Start, observer: Observer, eventually: Eventually) -> None:
    running = start(Known(), WEB, DNS)
    running.unregister(WEB.key)
    eventually(lambda: "mapping.removed" in observer.names())


def test_a_known_address_that_cannot_be_told_ends_the_path_with_its_error(start: Start, observer: Observer) -> None:
    def fail() -> None:
        raise NoGateway("no such name")

    assert start(Known(trouble=fail), WEB).join(LONG)
    (error,) = observer.ended
    assert isinstance(error, NoGateway)


def test_a_hung_static_backend_does_not_hold_up_the_stop(start: Start, observer: Observer) -> None:
    release = threading.Event()
    running = start(Known(trouble=lambda: release.wait(LONG)), WEB)
    begun = time.monotonic()
    stopped(running)
    release.set()
    assert time.monotonic() - begun < 1
    assert observer.ended == [None]


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


# the door


def test_a_spec_will_do(node: LocalNode, observer: Observer, eventually: Eventually) -> None:
    running = setup_port_mapping("extip:1.2.3.4", node, observer)
    running.register(WEB)
    eventually(lambda: observer.records)
    stopped(running)


def test_nobody_need_listen(node: LocalNode, eventually: Eventually) -> None:
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
