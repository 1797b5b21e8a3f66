"""What the contracts stand on: the network audit, and names that do not need pytest until they are used."""

import socket
import subprocess
import sys
import threading

import portmap.testing
from portmap import events
from portmap.testing.contract.network_audit import network_calls
from portmap.testing.contract.samples import all_events


def connect() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("127.0.0.1", 9))


def test_a_call_of_this_thread_is_heard() -> None:
    with network_calls() as calls:
        connect()
    assert calls == ["socket.connect(('127.0.0.1', 9),)"]


def test_a_call_of_a_thread_that_begins_meanwhile_is_heard() -> None:
    with network_calls() as calls:
        thread = threading.Thread(target=connect)
        thread.start()
        thread.join()
    assert len(calls) == 1


def test_a_call_of_a_thread_that_was_there_before_is_not() -> None:
    go = threading.Event()

    def connect_later() -> None:
        go.wait()
        connect()

    thread = threading.Thread(target=connect_later)
    thread.start()
    with network_calls() as calls:
        go.set()
        thread.join()
    assert not calls


def test_nothing_is_heard_afterwards() -> None:
    with network_calls() as calls:
        pass
    connect()
    assert not calls


def test_every_event_that_there_is_is_shown_to_publishers_twice() -> None:
    kinds = [
        kind
        for kind in vars(events).values()
        if isinstance(kind, type) and issubclass(kind, events.Event) and "_event" in vars(kind)
    ]
    bare = {kind._event for kind in kinds if not issubclass(kind, events.PublisherEvent | events.PortEvent)}
    ports = {kind._event for kind in kinds if issubclass(kind, events.PortEvent)}
    there_are = bare | {f"{kind}.{verb}" for kind in ("mapping", "pinhole") for verb in ports}
    assert there_are
    assert set(all_events()) == {f"{name}, {how}" for name in there_are for how in ("bare", "in full")}


def test_an_event_in_full_says_everything_that_it_can() -> None:
    for name, event in all_events().items():
        unsaid = [field for field in type(event).__dataclass_fields__ if getattr(event, field) in (None, "")]
        assert name.endswith("bare") or not unsaid


def test_the_router_can_be_used_without_pytest() -> None:
    program = "import sys; sys.modules['pytest'] = None; from portmap.testing import Router; print(Router.__name__)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "Router\n"


def test_every_public_name_can_be_imported() -> None:
    assert all(getattr(portmap.testing, name) for name in portmap.testing.__all__)
