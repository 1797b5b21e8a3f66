"""The dispatcher: the paths of Kind.NONE and Kind.LOOP, and how a path is set up."""

import threading
import time
from collections.abc import Callable

import pytest
from tests.dispatch.observers import DNS, LONG, WEB, Eventually, Observer, Start, stopped

import portmap
from portmap.backends.nat import Nat
from portmap.backends.none import NoNat
from portmap.dispatch.port_mapping import setup_port_mapping
from portmap.errors import SpecError
from portmap.events import Event
from portmap.hookspecs import hookimpl
from portmap.loop.policy import Policy
from portmap.model import Grant, Protocol
from portmap.node.local_node import LocalNode
from portmap.testing.scripted import ScriptedBackend

# none


@pytest.fixture
def without_nat(start: Start, observer: Observer, eventually: Eventually) -> Callable[[], None]:
    """Runs the path of `none` until it has made its record, and ends it."""

    def run() -> None:
        running = start(NoNat(), WEB, DNS)
        eventually(lambda: observer.records)
        stopped(running)

    return run


def test_without_a_nat_requests_are_consumed_and_nothing_is_told(
    without_nat: Callable[[], None], observer: Observer
) -> None:
    without_nat()
    assert observer.names() == []


def test_without_a_nat_the_record_keeps_the_local_ports(without_nat: Callable[[], None], observer: Observer) -> None:
    without_nat()
    assert [(record.tcp, record.udp, record.ip) for record in observer.records] == [(8080, 53, None)]


def test_without_a_nat_that_is_logged_once(without_nat: Callable[[], None], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "portmap"):
        without_nat()
    assert caplog.text.count("no gateway is asked: requests are consumed") == 1


def test_without_a_nat_a_port_can_be_let_go(start: Start, node: LocalNode, eventually: Eventually) -> None:
    running = start(NoNat(), WEB)
    eventually(lambda: node.record.tcp == 8080)
    running.unregister(WEB.key)
    eventually(lambda: node.record.tcp is None)


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
