"""The loop on scripted time: what is asked at the start, when a mapping is renewed, which external port it gets."""

from collections.abc import Callable
from ipaddress import IPv4Address

import pytest
from tests.loop.scripted_loop import (
    DNS,
    FOREVER,
    RARELY,
    TCP,
    WEB,
    calls,
    mapping_events,
    play,
    ports_asked_for,
    seconds,
    wanted,
)

from portmap.loop.inbox import GatewayAlert, Message
from portmap.model import PortRequest, Protocol, Scope
from portmap.testing.scripted import ScriptedBackend

# the start


def test_the_address_is_asked_for_first_and_then_the_ports() -> None:
    told = play(ScriptedBackend(), wanted(WEB), end=1)
    assert told.names() == ["gateway.found", "external_ip.changed", "mapping.added", "mapping.removed"]


def test_an_added_mapping_is_told_with_all_that_is_known() -> None:
    (event,) = mapping_events(play(ScriptedBackend(), wanted(WEB), end=1), "mapping.added")
    assert (event.key, event.external_port, event.lifetime, event.name) == (WEB.key, 8080, 600, "web")
    assert (event.external_ip, event.scope) == (IPv4Address("1.2.3.4"), Scope.PUBLIC)


def test_a_port_is_left_to_the_gateway_and_600_s_are_asked_for() -> None:
    backend = ScriptedBackend()
    play(backend, wanted(WEB), end=1)
    assert backend.calls[1].arguments == (TCP, 0, 8080, 600)


def test_an_external_port_and_a_lifetime_are_passed_on() -> None:
    backend = ScriptedBackend()
    play(backend, wanted(PortRequest(TCP, 8080, 80, lifetime=20)), end=1)
    assert backend.calls[1].arguments == (TCP, 80, 8080, 20)


@pytest.mark.parametrize("order", [(WEB, DNS), (DNS, WEB)])
def test_both_protocols_are_mapped_in_either_order(order: tuple[PortRequest, PortRequest]) -> None:
    backend = ScriptedBackend()
    told = play(backend, wanted(*order), end=1)
    assert seconds(told, "mapping.added") == [0, 0]


def test_any_number_of_ports_is_held_each_by_protocol_and_internal_port() -> None:
    requests = [PortRequest(protocol, port) for protocol in Protocol for port in range(1000, 1010)]
    told = play(ScriptedBackend(), wanted(*requests), end=1000)
    assert {event.key for event in mapping_events(told, "mapping.renewed")} == {request.key for request in requests}


# the wake-up: go-ethereum's Q1


@pytest.mark.parametrize(("first", "second"), [(WEB, DNS), (DNS, WEB)])
def test_a_port_that_is_registered_late_is_attempted_at_once(first: PortRequest, second: PortRequest) -> None:
    told = play(ScriptedBackend(), wanted(first) + wanted(second, at=100), end=101)
    assert seconds(told, "mapping.added") == [0, 100]


def test_a_later_deadline_cancels_no_earlier_one() -> None:
    backend = ScriptedBackend()
    play(backend, wanted(WEB) + wanted(DNS, at=100), end=1000, policy=RARELY)
    assert (calls(backend, port=8080), calls(backend, port=53)) == ([0, 300, 600, 900], [100, 400, 700])


def test_what_falls_due_during_a_slow_call_is_done_right_after_it() -> None:
    backend = ScriptedBackend().silent(300, 301, hook="add_mapping", after=10)
    play(backend, wanted(WEB) + wanted(DNS, at=5), end=320, policy=RARELY)
    assert calls(backend, port=53) == [5, 310]


def test_a_port_registered_twice_is_attempted_once() -> None:
    backend = ScriptedBackend()
    play(backend, wanted(WEB, WEB), end=1)
    assert calls(backend) == [0]


# renewal


def test_a_lease_is_renewed_at_half_of_its_lifetime() -> None:
    assert seconds(play(ScriptedBackend(), wanted(WEB), end=1000, policy=RARELY), "mapping.renewed") == [300, 600, 900]


def test_it_is_the_granted_lifetime_that_counts() -> None:
    assert seconds(play(ScriptedBackend(lifetime=20), wanted(WEB), end=35), "mapping.renewed") == [10, 20, 30]


def test_renewal_is_spread_over_an_eighth_of_the_lifetime() -> None:
    assert seconds(play(ScriptedBackend(), wanted(WEB), end=400, policy=RARELY, spread=1.0), "mapping.renewed") == [375]


def test_a_lease_of_a_second_is_not_asked_for_more_often_than_every_four() -> None:
    backend = ScriptedBackend(lifetime=1)
    play(backend, wanted(WEB), end=61)
    assert len(calls(backend)) == 16


def test_a_permanent_mapping_is_asserted_again_too() -> None:
    told = play(ScriptedBackend(lifetime=0), wanted(WEB), end=700, policy=RARELY)
    assert [event.lifetime for event in mapping_events(told, "mapping.renewed")] == [0, 0]


def test_a_failed_renewal_is_retried_with_back_off() -> None:
    backend = ScriptedBackend().refuse(300, 306)
    play(backend, wanted(WEB), end=320, policy=RARELY)
    assert calls(backend) == [0, 300, 301, 303, 307]


def test_a_failed_renewal_does_not_lose_the_lease() -> None:
    told = play(ScriptedBackend().refuse(300, 500), wanted(WEB), end=1000)
    assert "mapping.lost" not in told.names()
    assert seconds(told, "mapping.renewed")[0] <= 600


def test_a_short_lease_is_tried_several_times_before_its_end() -> None:
    backend = ScriptedBackend(lifetime=20).refuse(10, 20)
    play(backend, wanted(WEB), end=20)
    assert len(calls(backend)) >= 4


def test_a_lease_that_runs_out_is_lost_at_its_end_and_not_before() -> None:
    told = play(ScriptedBackend().refuse(1, FOREVER), wanted(WEB), end=900)
    assert seconds(told, "mapping.lost") == [600]


def test_a_lost_mapping_is_told_with_the_port_that_was_and_the_reason() -> None:
    (event,) = mapping_events(play(ScriptedBackend().refuse(1, FOREVER), wanted(WEB), end=900), "mapping.lost")
    assert (event.external_port, event.reason) == (8080, "not today")


def test_what_was_lost_is_added_again_when_the_gateway_relents() -> None:
    told = play(ScriptedBackend().refuse(1, 700), wanted(WEB), end=900, policy=RARELY)
    assert [name for name in told.names() if name.startswith("mapping.")] == [
        "mapping.added",
        "mapping.failed",
        "mapping.lost",
        "mapping.added",
        "mapping.removed",
    ]


# the external port


def test_a_port_that_the_gateway_chose_is_asked_for_from_then_on() -> None:
    backend = ScriptedBackend(ports=lambda port: 9999)
    told = play(backend, wanted(WEB), end=700, policy=RARELY)
    assert ports_asked_for(backend) == [0, 9999, 9999]
    assert told.names().count("mapping.changed") == 0


def test_another_port_than_suggested_is_told_with_the_reason() -> None:
    backend = ScriptedBackend(ports=lambda port: 9999)
    (event,) = mapping_events(play(backend, wanted(PortRequest(TCP, 8080, 80)), end=1), "mapping.added")
    assert (event.external_port, event.reason) == (9999, "the gateway gave port 9999 instead of 80")


def test_after_a_failed_renewal_the_port_that_is_held_is_asked_for_again() -> None:
    backend = ScriptedBackend(ports=lambda port: port + 1 if port < 9000 else port).refuse(1, 500)
    play(backend, wanted(PortRequest(TCP, 8999)), end=590)
    assert set(ports_asked_for(backend)[1:]) == {9000}


def shifted(until: float, backend: "ScriptedBackend") -> Callable[[int], int]:
    """8080 is taken until then, and 8081 given in its place."""
    return lambda port: 8081 if port == 8080 and backend.inbox.seconds < until else port


def test_after_a_loss_the_wanted_port_is_asked_for_first() -> None:
    backend = ScriptedBackend().refuse(1, 650)
    backend._ports = shifted(600, backend)
    told = play(backend, wanted(WEB), end=900)
    assert [event.external_port for event in mapping_events(told, "mapping.added")] == [8081, 8080]


def test_after_a_restart_the_wanted_port_is_asked_for_again() -> None:
    backend = ScriptedBackend().reboots(100)
    backend._ports = shifted(100, backend)
    told = play(backend, [*wanted(WEB), (100, GatewayAlert("reboot"))], end=101)
    (event,) = mapping_events(told, "mapping.changed")
    assert (event.external_port, ports_asked_for(backend)) == (8080, [0, 8080])
    assert calls(backend, "delete_mapping") == [100, 101]


def test_where_the_wanted_port_is_still_taken_the_one_that_was_open_stays() -> None:
    backend = ScriptedBackend()
    backend._ports = lambda port: (8081 if backend.inbox.seconds < 1 else 9000) if port == 8080 else port
    told = play(backend, [*wanted(WEB), (700, GatewayAlert("reboot"))], end=701, policy=RARELY)
    assert not mapping_events(told, "mapping.changed")
    assert ports_asked_for(backend)[-2:] == [8080, 8081]


def test_the_wanted_port_is_not_tried_in_place_of_an_open_one_more_often_than_every_ten_minutes() -> None:
    backend = ScriptedBackend()
    backend._ports = shifted(FOREVER, backend)
    alerts: list[tuple[float, Message]] = [(100.0 * n, GatewayAlert("again")) for n in range(1, 12)]
    play(backend, [*wanted(WEB), *alerts], end=1199, policy=RARELY)
    assert calls(backend, "delete_mapping")[:-1] == [100, 700]


def test_a_port_that_changes_is_announced_once() -> None:
    backend = ScriptedBackend(ports=lambda port: port if backend.inbox.seconds < 300 else 9090)
    told = play(backend, wanted(WEB), end=1000, policy=RARELY)
    ((at, event),) = told.of("mapping.changed")
    assert (at, event.to_dict()["external_port"]) == (300, 9090)
