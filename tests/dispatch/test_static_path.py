"""The path of Kind.STATIC: address and ports are announced, nothing is opened."""

import threading
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

import pytest
from tests.dispatch.observers import DNS, LONG, WEB, Eventually, Observer, Start, stopped
from tests.dispatch.static_backends import Known, Scripted, play_static
from tests.stopwatch import Stopwatch

from portmap.errors import GatewayTimeout, NoGateway
from portmap.hookspecs import hookimpl
from portmap.loop.inbox import NetworkAlert, Register
from portmap.loop.policy import Policy
from portmap.model import Address, PortRequest, Protocol

TOLD = ["external_ip.changed", "mapping.added"]


def no_name(since: float, until: float) -> "Scripted":
    """A name that has no address for so long."""
    return Scripted().fails(since, until, lambda: NoGateway("no such name"), "external_ip")


Static = Callable[..., None]


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
    assert reason.endswith("use --allow-private to announce it anyway")


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
