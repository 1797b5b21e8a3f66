"""Ring 2: the core loop on a scripted clock. Each row of design.md's table "The loop" and each of go-ethereum's quirks
that concern it is a test; the story is the argument list.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Address
from itertools import count, pairwise
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portmap.backends.nat import Nat
from portmap.errors import Conflict, Garbled, NoGateway, NotAuthorized, NotYet, OutOfResources, PluginError, Refused
from portmap.events import (
    Event,
    ExternalIPChanged,
    ExternalIPFailed,
    GatewayEvent,
    GatewayLost,
    PortAdded,
    PortChanged,
    PortEvent,
    PortRenewed,
)
from portmap.hookspecs import Alert as AlertHook
from portmap.hookspecs import Closer, hookimpl
from portmap.loop.inbox import GatewayAlert, Interrupted, Mend, Message, NetworkAlert, Recheck, Register, Unregister
from portmap.loop.loop import Loop
from portmap.loop.policy import Policy
from portmap.model import Grant, PortRequest, Protocol, Scope
from portmap.node.local_node import LocalNode, Record
from portmap.reachability.mend_step import MendStep
from portmap.testing import scripted
from portmap.testing.clock import ScriptedInbox
from portmap.testing.scripted import Recording, ScriptedBackend

TCP, UDP = Protocol.TCP, Protocol.UDP
WEB = PortRequest(TCP, 8080, name="web")
DNS = PortRequest(UDP, 53)
FOREVER = 1e9
RARELY = Policy(ip_interval=5000)  # no check in between: what is seen is renewals
MINUTELY = Policy(ip_interval=60)
play = partial(scripted.play, policy=MINUTELY)
HELD = PortAdded | PortChanged | PortRenewed


def wanted(*requests: PortRequest, at: float = 0.0) -> list[tuple[float, Message]]:
    """The part of a story in which ports are asked for."""
    return [(at, Register(request)) for request in requests]


def calls(backend: ScriptedBackend, hook: str = "add_mapping", port: int | None = None) -> list[float]:
    """When a hook was called, for one internal port or all."""
    return [call.at for call in backend.calls if call.hook == hook and (port is None or call.arguments[2] == port)]


def ports_asked_for(backend: ScriptedBackend) -> list[object]:
    """The external port of every add_mapping call."""
    return [call.arguments[1] for call in backend.calls if call.hook == "add_mapping"]


def seconds(told: Recording, name: str) -> list[float]:
    """When an event of that name was told."""
    return [at for at, _ in told.of(name)]


def mapping_events(told: Recording, name: str) -> list[PortEvent]:
    """The mapping events of one name."""
    return [event for _, event in told.of(name) if isinstance(event, PortEvent)]


def records(backend: ScriptedBackend, story: Iterable[tuple[float, Message]], *, end: float) -> list[Record]:
    """The records that a node makes which follows the loop."""

    class Follower:
        def __init__(self) -> None:
            self.node = LocalNode(clock=lambda: 0)
            self.records: list[Record] = []

        def on_event(self, event: Event) -> None:
            self.node.apply(event)

        def on_settled(self) -> None:
            self.records += [record for record in [self.node.commit()] if record]

    backend.inbox = ScriptedInbox(story, end=end)
    follower = Follower()
    Loop(Nat(backend, "scripted"), backend.inbox, follower, MINUTELY, random=lambda: 0.0).run()
    return follower.records


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


# the external address


def test_the_address_is_looked_at_once_a_minute() -> None:
    backend = ScriptedBackend()
    play(backend, [], end=200)
    assert calls(backend, "external_ip") == [0, 60, 120, 180]


def test_the_address_and_one_mapping_are_checked_in_turn() -> None:
    backend = ScriptedBackend()
    play(backend, wanted(WEB), end=310)
    assert (calls(backend, "external_ip"), calls(backend)) == ([0, 60, 180, 300], [0, 120, 240])


def test_the_mapping_that_was_asked_about_longest_ago_is_checked() -> None:
    backend = ScriptedBackend()
    play(backend, wanted(WEB, DNS) + wanted(PortRequest(TCP, 22), at=30), end=650, policy=Policy(ip_interval=40))
    assert [call.arguments[2] for call in backend.calls if call.hook == "add_mapping"][3:7] == [8080, 53, 22, 8080]


def test_both_halves_of_a_pair_are_checked_at_once() -> None:
    backend = ScriptedBackend()
    play(backend, wanted(PortRequest(TCP, 80), PortRequest(UDP, 80)), end=250)
    assert calls(backend) == [0, 0, 120, 120, 240, 240]


def test_a_renewal_counts_as_the_check_of_a_mapping_and_the_address_is_not_forgotten() -> None:
    backend = ScriptedBackend(lifetime=60)
    play(backend, wanted(WEB), end=250)
    assert (calls(backend, "external_ip"), len(calls(backend))) == ([0, 120, 240], 9)


def test_a_restart_that_neither_announcement_nor_epoch_tells_is_mended_within_two_checks() -> None:
    backend = ScriptedBackend().reboots(130)
    story = wanted(WEB, PortRequest(UDP, 8080))
    play(backend, story, end=130 + 2 * 60 + 1)
    assert all(call.at <= 250 for call in backend.calls if call.hook == "add_mapping")
    assert calls(backend)[-2:] == [240, 240]


class Readable(ScriptedBackend):
    """A gateway whose table can be read."""

    @hookimpl
    def has_mapping(self, protocol: Protocol, external_port: int, internal_port: int) -> bool:
        self._hear("has_mapping", protocol, external_port, internal_port)
        return self.table.get((protocol, internal_port)) == external_port


RESTARTS = range(1, 360, 13)  # seconds: three rounds of checks, and a renewal


@pytest.mark.parametrize("at", RESTARTS)
def test_by_default_a_pair_that_a_gateway_forgot_without_a_sign_is_asked_for_again_within_two_minutes(at: int) -> None:
    backend = ScriptedBackend().reboots(at)
    scripted.play(backend, wanted(WEB, PortRequest(UDP, 8080)), end=at + 121)
    asked = [call.arguments[0] for call in backend.calls if call.hook == "add_mapping" and call.at >= at]
    assert {TCP, UDP} <= set(asked)


@pytest.mark.parametrize("at", RESTARTS)
def test_by_default_all_that_a_readable_gateway_forgot_is_asked_for_again_within_two_minutes(at: int) -> None:
    backend = Readable().reboots(at)
    scripted.play(backend, wanted(WEB, DNS, PortRequest(TCP, 22)), end=at + 121)
    asked = [call.arguments[2] for call in backend.calls if call.hook == "add_mapping" and call.at >= at]
    assert {8080, 53, 22} <= set(asked)


@pytest.mark.parametrize("at", RESTARTS)
def test_by_default_the_gateway_is_asked_for_something_once_a_minute(at: int) -> None:
    backend = ScriptedBackend()
    scripted.play(backend, wanted(WEB, DNS), end=at + 61)
    assert any(at < call.at <= at + 60 for call in backend.calls)  # each answer of PCP and NAT-PMP has an epoch


def test_what_a_check_finds_missing_is_asked_for_at_once_although_earlier_alerts_changed_nothing() -> None:
    backend = Readable().reboots(130)
    alerts: list[tuple[float, Message]] = [(at, GatewayAlert("spoofed")) for at in range(60, 124)]
    play(backend, wanted(WEB, DNS) + alerts, end=190, policy=Policy(ip_interval=20))
    missing = next(at for at in calls(backend, "has_mapping") if at >= 130)
    assert [at for at in calls(backend) if at >= 130][:2] == [missing, missing]


class OneMappingAHost(Readable):
    """A gateway that lets each new mapping of a host replace the one before, without a word (tinynatpmpd)."""

    @hookimpl
    def add_mapping(self, protocol: Protocol, external_port: int, internal_port: int, lifetime: int) -> Grant:
        self.table.clear()
        return super().add_mapping(protocol, external_port, internal_port, lifetime)


@pytest.mark.parametrize("requests", [(WEB, DNS), (WEB, replace(WEB, protocol=UDP)), (WEB, DNS, PortRequest(TCP, 22))])
def test_where_one_mapping_replaces_the_other_the_one_that_is_shut_is_said_to_be_lost_and_why(
    requests: tuple[PortRequest, ...],
) -> None:
    told = play(OneMappingAHost(), wanted(*requests), end=700)
    lost = mapping_events(told, "mapping.lost")
    assert len({event.key for event in lost}) == len(requests) - 1
    assert all("replaced it: the scripted gateway seems to hold one mapping a host" in event.reason for event in lost)
    assert not told.of("gateway.rebooted")


def test_where_one_mapping_replaces_the_other_one_stays_open_and_the_other_is_not_tried_for_an_hour() -> None:
    backend = OneMappingAHost()
    told = play(backend, wanted(WEB, DNS), end=3000)
    assert [at for at in calls(backend, port=53) if at > 121] == []
    assert mapping_events(told, "mapping.failed")[0].error == "OutOfResources"
    assert backend.table.keys() <= {WEB.key}
    assert [event.key for event in mapping_events(told, "mapping.removed")] == [WEB.key]


class LosesOne(Readable):
    """A gateway that loses the first mapping, and no other, once."""

    lost = False

    def _hear(self, hook: str, *arguments: object) -> None:
        if self.inbox.seconds > 100 and not self.lost:
            self.lost = True
            del self.table[WEB.key]
        super()._hear(hook, *arguments)


def test_a_mapping_that_alone_is_missing_is_opened_again_and_no_other_is_said_to_be_lost() -> None:
    backend = LosesOne()
    told = play(backend, wanted(WEB, DNS), end=190)
    assert min(calls(backend, port=8080)[1:]) == 120
    assert backend.lost
    assert not told.of("mapping.lost")
    assert seconds(told, "mapping.removed") == [190, 190]


def test_where_the_table_can_be_read_a_mapping_is_looked_up_and_not_asked_for() -> None:
    backend = Readable()
    play(backend, wanted(WEB), end=290)
    assert (calls(backend, "has_mapping"), calls(backend)) == ([120, 240], [0])


def test_a_mapping_that_is_no_longer_listed_has_everything_asked_for_again_and_told() -> None:
    backend = Readable().reboots(90)
    told = play(backend, wanted(WEB, DNS), end=130)
    assert calls(backend)[2:] == [120, 120]
    ((at, event),) = told.of("gateway.rebooted")
    assert isinstance(event, GatewayEvent)
    assert (at, event.reason) == (120, "the scripted gateway no longer lists TCP 8080")


def test_a_table_that_cannot_be_read_now_has_the_mapping_asked_for() -> None:
    backend = Readable().refuse(0, FOREVER, hook="has_mapping")
    play(backend, wanted(WEB), end=130)
    assert calls(backend) == [0, 120]


def test_a_silent_look_up_has_the_gateway_checked_at_once() -> None:
    backend = Readable().silent(115, 125, hook="has_mapping")
    told = play(backend, wanted(WEB), end=130)
    assert 123.75 in calls(backend, "external_ip")
    assert "gateway.lost" not in told.names()


def test_how_often_is_a_matter_of_policy() -> None:
    backend = ScriptedBackend()
    play(backend, [], end=100, policy=Policy(ip_interval=40))
    assert calls(backend, "external_ip") == [0, 40, 80]


def test_an_unchanged_address_is_told_once_and_ends_nothing() -> None:
    told = play(ScriptedBackend(), wanted(WEB), end=700)
    assert seconds(told, "external_ip.changed") == [0]
    assert seconds(told, "mapping.removed") == [700]


def test_a_changed_address_is_told_with_the_one_before() -> None:
    (_, (_, event)) = play(ScriptedBackend().moves(100, "5.6.7.8"), [], end=200).of("external_ip.changed")
    assert isinstance(event, ExternalIPChanged)
    assert (str(event.external_ip), str(event.previous_ip)) == ("5.6.7.8", "1.2.3.4")


def test_a_changed_address_has_every_mapping_added_again_at_once() -> None:
    told = play(ScriptedBackend().moves(100, "5.6.7.8"), wanted(WEB, DNS), end=200)
    assert [
        (at, str(event.external_ip)) for at, event in told.of("mapping.changed") if isinstance(event, PortEvent)
    ] == [
        (180, "5.6.7.8"),
        (180, "5.6.7.8"),
    ]


def test_an_address_that_is_not_stated_changes_nothing_but_an_event() -> None:
    backend = ScriptedBackend().refuse(30, 400, hook="external_ip")
    told = play(backend, wanted(WEB), end=500)
    assert calls(backend) == [0, 120, 240, 360, 480]
    assert seconds(told, "external_ip.changed") == [0]


def test_an_address_that_is_not_stated_is_told_once_a_reason_with_the_last_known_one() -> None:
    told = play(ScriptedBackend().refuse(30, 400, "no uplink", hook="external_ip"), [], end=500)
    ((at, event),) = told.of("external_ip.failed")
    assert isinstance(event, ExternalIPFailed)
    assert (at, event.reason, event.error, str(event.external_ip)) == (60, "no uplink", "Refused", "1.2.3.4")


def test_an_address_that_comes_late_completes_the_mappings_at_once() -> None:
    told = play(ScriptedBackend().refuse(0, 50, hook="external_ip"), wanted(WEB), end=100)
    (event,) = mapping_events(told, "mapping.changed")
    assert (str(event.external_ip), event.scope) == ("1.2.3.4", Scope.PUBLIC)


def test_the_unspecified_address_is_an_error() -> None:
    told = play(ScriptedBackend().moves(0, "0.0.0.0"), wanted(WEB), end=10)  # noqa: S104  # nothing is bound
    assert told.names() == ["gateway.found", "external_ip.failed", "mapping.added", "mapping.removed"]


@pytest.mark.parametrize(
    ("address", "scope"), [("192.168.0.5", "private"), ("100.64.3.4", "cgnat"), ("192.0.0.2", "reserved")]
)
def test_an_unreachable_address_is_classified(address: str, scope: str) -> None:
    told = play(ScriptedBackend().moves(0, address), wanted(WEB), end=10)
    assert [event.scope for _, event in told.events if isinstance(event, ExternalIPChanged | PortEvent)][:2] == [
        scope,
        scope,
    ]


# no answer


def test_a_gateway_that_is_not_found_at_first_is_looked_for_again() -> None:
    backend = ScriptedBackend().fails(0, 20, lambda: NoGateway("no answer"), "")
    told = play(backend, wanted(WEB), end=60)
    assert calls(backend, "external_ip")[:6] == [0, 1, 3, 7, 15, 31]
    assert told.names() == [
        "gateway.lost",
        "mapping.failed",
        "gateway.found",
        "external_ip.changed",
        "mapping.added",
        "mapping.removed",
    ]


def test_a_gateway_that_falls_silent_is_lost_once_with_the_reason() -> None:
    told = play(ScriptedBackend().silent(100, FOREVER), wanted(WEB), end=550)
    ((at, event),) = told.of("gateway.lost")
    assert isinstance(event, GatewayEvent)
    assert (at, event.reason, event.error) == (127.5, "the scripted gateway is silent", "GatewayTimeout")


def test_a_gateway_that_is_back_has_everything_added_again_at_once() -> None:
    told = play(ScriptedBackend().silent(100, 130).reboots(125), wanted(WEB, DNS), end=200)
    (found,) = seconds(told, "gateway.found")[1:]
    assert seconds(told, "mapping.renewed") == [found, found]


def test_silence_never_changes_the_address() -> None:
    told = play(ScriptedBackend().silent(100, 200), wanted(WEB), end=300)
    assert seconds(told, "external_ip.changed") == [0]


def test_one_silent_attempt_has_the_gateway_looked_at_but_not_given_up() -> None:
    backend = ScriptedBackend().silent(300, 303, hook="add_mapping")
    told = play(backend, wanted(WEB), end=320, policy=RARELY)
    assert "gateway.lost" not in told.names()
    assert 303.75 in calls(backend, "external_ip")


def test_a_lost_gateway_is_asked_for_one_port_at_a_time() -> None:
    requests = [PortRequest(TCP, port) for port in range(1000, 1010)]
    backend = ScriptedBackend().silent(0, 10)
    play(backend, wanted(*requests), end=9)
    assert calls(backend) == [3.75]


def test_a_gateway_that_maps_but_never_states_its_address_is_used() -> None:
    told = play(ScriptedBackend(lifetime=20).silent(0, FOREVER, hook="external_ip"), wanted(WEB, DNS), end=600)
    assert told.names().count("gateway.lost") == 1
    held = [at for at, event in told.events if isinstance(event, HELD) and event.key == WEB.key]
    assert all(later - earlier <= 20 for earlier, later in pairwise([*held, 600]))


def test_a_gateway_that_states_its_address_but_never_maps_is_not_lost_and_found_all_the_time() -> None:
    told = play(ScriptedBackend().silent(0, FOREVER, hook="add_mapping"), wanted(WEB, DNS), end=2000)
    assert told.names() == ["gateway.found", "external_ip.changed", "mapping.failed", "mapping.failed"]


def test_a_gateway_that_refuses_everything_is_there() -> None:
    backend = ScriptedBackend().refuse(0, FOREVER, hook="")
    assert play(backend, wanted(WEB), end=100).names() == ["gateway.found", "external_ip.failed", "mapping.failed"]


def test_an_attempt_that_works_has_a_lost_gateway_looked_at_again() -> None:
    backend = ScriptedBackend().silent(0, 300)
    told = play(backend, wanted(WEB), end=400)
    (added,) = seconds(told, "mapping.added")
    assert seconds(told, "gateway.found") == [added]


# a gateway that says no


def test_an_unmapped_port_is_retried_from_1_s_up_to_once_a_minute() -> None:
    backend = ScriptedBackend().refuse(0, FOREVER)
    play(backend, wanted(WEB), end=250)
    assert calls(backend) == [0, 1, 3, 7, 15, 31, 63, 123, 183, 243]


def test_a_failure_is_announced_once_for_each_kind_of_error() -> None:
    full, forbidden = (lambda: OutOfResources("full")), (lambda: NotAuthorized("forbidden"))
    backend = ScriptedBackend().fails(0, 100, full, "add_mapping").fails(100, 200, forbidden, "add_mapping")
    told = play(backend, wanted(WEB), end=300)
    assert [event.reason for event in mapping_events(told, "mapping.failed")] == ["full", "forbidden"]


def test_a_failure_is_told_with_its_error_for_programs() -> None:
    backend = ScriptedBackend().fails(0, 10, lambda: OutOfResources("the table is full"), "add_mapping")
    (event,) = mapping_events(play(backend, wanted(WEB), end=5), "mapping.failed")
    assert (event.error, event.external_port, event.key) == ("OutOfResources", None, WEB.key)


def test_a_failure_is_warned_of_once_and_repeated_for_debugging(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "portmap.loop"):
        play(ScriptedBackend().refuse(0, 10, "full"), wanted(WEB), end=8)
    told = [(record.levelname, record.getMessage()) for record in caplog.records if "full" in record.getMessage()]
    assert [line for line in told if line[0] == "WARNING"] == [("WARNING", "TCP 8080 is not mapped: full")]
    assert told.count(("DEBUG", "TCP 8080 is still not mapped: full")) == 3


def test_a_lost_gateway_is_warned_of_once_too(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "portmap.loop"):
        play(ScriptedBackend().silent(0, FOREVER), [], end=500)
    assert [record.getMessage() for record in caplog.records] == [
        "the scripted gateway is lost: the scripted gateway is silent"
    ]


def test_a_failed_renewal_is_not_called_an_unmapped_port(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "portmap.loop"):
        play(ScriptedBackend().refuse(300, 301, "busy"), wanted(WEB), end=310, policy=RARELY)
    assert [record.getMessage() for record in caplog.records] == ["TCP 8080 is not renewed: busy"]


def test_one_refused_port_does_not_hinder_another() -> None:
    class Picky(ScriptedBackend):
        @hookimpl
        def add_mapping(self, protocol: Protocol, external_port: int, internal_port: int, lifetime: int) -> Grant:
            if protocol is TCP:
                raise Conflict("taken")
            return super().add_mapping(protocol, external_port, internal_port, lifetime)

    told = play(Picky(), wanted(WEB, DNS), end=1000)
    assert seconds(told, "mapping.renewed") == [300, 600, 900]


# a gateway, or a plugin, that talks nonsense


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_that_is_none_is_an_error_and_never_announced(port: int) -> None:
    told = play(ScriptedBackend(ports=lambda _: port), wanted(WEB), end=10)
    assert told.names() == ["gateway.found", "external_ip.changed", "mapping.failed"]
    assert [event.error for event in mapping_events(told, "mapping.failed")] == ["Garbled"]


@pytest.mark.parametrize("lifetime", [-1, 2**32])
def test_a_lifetime_that_is_none_is_an_error(lifetime: int) -> None:
    told = play(ScriptedBackend(lifetime=lifetime), wanted(WEB), end=10)
    assert told.names()[2:] == ["mapping.failed"]


def test_nonsense_in_a_renewal_keeps_the_lease() -> None:
    backend = ScriptedBackend(ports=lambda _: 0 if 300 <= backend.inbox.seconds < 400 else 8080)
    told = play(backend, wanted(WEB), end=700)
    assert "mapping.lost" not in told.names()
    assert all(event.external_port for event in mapping_events(told, "mapping.renewed"))


@pytest.mark.parametrize("error", [ValueError("oops"), PluginError("oops"), Garbled("oops"), KeyError("oops")])
def test_a_plugin_that_raises_is_retried_and_loses_nothing(error: Exception) -> None:
    backend = ScriptedBackend().fails(290, 400, lambda: error, "")
    told = play(backend, wanted(WEB), end=1000)
    assert seconds(told, "mapping.removed") == [1000]
    assert "mapping.lost" not in told.names()


def test_a_plugins_own_error_is_told_with_its_name() -> None:
    backend = ScriptedBackend().fails(0, 10, lambda: ValueError("oops"), "add_mapping")
    (event,) = mapping_events(play(backend, wanted(WEB), end=5), "mapping.failed")
    assert (event.reason, event.error) == ("scripted raised ValueError: oops", "PluginError")


def test_a_broken_plugin_is_no_gateway_found() -> None:
    backend = ScriptedBackend().fails(0, FOREVER, lambda: ValueError("oops"), "")
    assert play(backend, wanted(WEB), end=100).names() == ["external_ip.failed", "mapping.failed"]


def test_a_watch_that_cannot_be_started_stops_nothing() -> None:
    class Blind(ScriptedBackend):
        @hookimpl
        def watch(self, alert: AlertHook) -> Closer:
            raise OSError("no netlink here")

    assert "mapping.added" in play(Blind(), wanted(WEB), end=1).names()


# alerts


def test_an_alert_has_everything_added_again_at_once() -> None:
    backend = ScriptedBackend().reboots(100)
    told = play(backend, [*wanted(WEB, DNS), (100, GatewayAlert("its clock went back"))], end=101)
    assert calls(backend) == [0, 0, 100, 100]
    assert told.of("gateway.rebooted") == [(100, told.of("gateway.rebooted")[0][1])]


def test_alerts_that_change_nothing_are_answered_less_and_less_often() -> None:
    backend = ScriptedBackend()
    flood: list[tuple[float, Message]] = [(10 + tick / 10, GatewayAlert("again")) for tick in range(3000)]
    play(backend, [*wanted(WEB), *flood], end=310, policy=RARELY)
    assert calls(backend) == [0, 10, 11, 13, 17, 25, 41, 73, 133, 193, 253]


def test_a_change_of_our_own_network_is_followed_within_a_second_all_the_same() -> None:
    backend = ScriptedBackend()
    flood: list[tuple[float, Message]] = [(10 + tick / 10, GatewayAlert("again")) for tick in range(900)]
    told = play(backend, [*wanted(WEB), *flood, (100, NetworkAlert("link up"))], end=101, policy=RARELY)
    assert calls(backend)[-1] == 100
    assert seconds(told, "network.changed") == [100]


def test_what_the_other_path_learnt_has_everything_asked_for_again_and_is_not_told_twice() -> None:
    backend = ScriptedBackend()
    told = play(backend, [*wanted(WEB), (100, Recheck("gateway.rebooted"))], end=101)
    assert calls(backend) == [0, 100]
    assert not {"gateway.rebooted", "network.changed"} & set(told.names())


def test_an_alert_has_the_address_looked_at_too() -> None:
    backend = ScriptedBackend().moves(100, "5.6.7.8")
    told = play(backend, [*wanted(WEB), (100, GatewayAlert("link up"))], end=101)
    assert seconds(told, "mapping.changed") == [100]


def test_an_alert_ends_every_back_off() -> None:
    backend = ScriptedBackend().refuse(0, 100)
    play(backend, [*wanted(WEB), (100, GatewayAlert("link up"))], end=101)
    assert calls(backend)[-1] == 100


def test_an_alert_asks_for_the_same_port() -> None:
    backend = ScriptedBackend(ports=lambda port: port or 9999)
    play(backend, [*wanted(WEB), (100, GatewayAlert("reboot"))], end=101)
    assert ports_asked_for(backend) == [0, 8080]


# letting go


def test_an_unregistered_port_is_deleted_and_told() -> None:
    backend = ScriptedBackend()
    told = play(backend, [*wanted(WEB, DNS), (50, Unregister(WEB.key))], end=100)
    assert seconds(told, "mapping.removed") == [50, 100]
    assert calls(backend, "delete_mapping") == [50, 100]


def test_what_was_never_opened_is_not_deleted() -> None:
    backend = ScriptedBackend().refuse(0, FOREVER)
    play(backend, [*wanted(WEB, DNS), (50, Unregister(WEB.key))], end=100)
    assert calls(backend, "delete_mapping") == []


def test_what_has_lapsed_is_not_deleted() -> None:
    backend = ScriptedBackend().refuse(1, FOREVER)
    play(backend, wanted(WEB), end=700)
    assert calls(backend, "delete_mapping") == []


def test_a_mapping_whose_answer_was_lost_is_deleted_all_the_same() -> None:
    backend = ScriptedBackend().unheard(0, FOREVER)
    play(backend, [*wanted(WEB, DNS), (50, Unregister(WEB.key))], end=100)
    assert backend.table == {}


def test_a_port_can_be_registered_again() -> None:
    story = [*wanted(WEB), (50.0, Unregister(WEB.key)), *wanted(PortRequest(TCP, 8080, 80), at=50)]
    (_, again) = mapping_events(play(ScriptedBackend(), story, end=100), "mapping.added")
    assert again.external_port == 80


def test_to_unregister_an_unknown_port_is_harmless() -> None:
    assert play(ScriptedBackend(), [(1, Unregister(WEB.key))], end=2).names()[-1] == "external_ip.changed"


# what a proof from outside makes us try


def test_a_mapping_that_forwards_nothing_is_asked_for_again_at_once() -> None:
    backend = ScriptedBackend()
    play(backend, [*wanted(WEB), (10, Mend(WEB.key, MendStep.RENEW))], end=20)
    assert calls(backend) == [0, 10]
    assert calls(backend, "delete_mapping") == [20]


@pytest.mark.parametrize(("step", "moves"), [(MendStep.REOPEN, False), (MendStep.MOVE, True)])
def test_a_mapping_that_forwards_nothing_is_deleted_and_opened_again_there_or_elsewhere(
    step: MendStep, moves: bool
) -> None:
    backend = ScriptedBackend()
    play(backend, [*wanted(WEB), (10, Mend(WEB.key, step))], end=20, spread=0.5)
    assert calls(backend, "delete_mapping")[0] == 10
    assert (ports_asked_for(backend)[-1] != 8080) == moves


@pytest.mark.parametrize("step", MendStep)
@pytest.mark.parametrize("request_", [WEB, DNS], ids=["refused", "unknown"])
def test_a_port_that_is_not_open_is_not_mended(step: MendStep, request_: PortRequest) -> None:
    backend, unhurried = (ScriptedBackend().refuse(0, FOREVER) for _ in range(2))
    play(backend, [*wanted(WEB), (10, Mend(request_.key, step))], end=100)
    play(unhurried, wanted(WEB), end=100)
    assert backend.calls == unhurried.calls


# the way out


class Interrupting(Nat):
    """A Nat whose call to open a port is interrupted by a stop; what it still grants comes late."""

    def __init__(self, backend: ScriptedBackend, late: Grant | None) -> None:
        super().__init__(backend, "scripted")
        self._late = late
        self.waited: list[float] = []

    def add_mapping(self, *_: object, **__: object) -> Grant:
        raise Interrupted

    def late_grant(self, timeout: float) -> Grant | None:
        self.waited.append(timeout)
        return self._late


@pytest.mark.parametrize(("late", "deleted"), [(Grant(443, 600), 443), (None, 8080)], ids=["granted", "no answer"])
def test_a_stop_during_a_call_ends_the_loop_and_what_the_call_may_have_opened_is_deleted(
    late: Grant | None, deleted: int
) -> None:
    backend = ScriptedBackend()
    inbox = backend.inbox = ScriptedInbox(wanted(WEB), end=50)
    nat = Interrupting(backend, late)
    Loop(nat, inbox, Recording(inbox), Policy(clean_up=2.0)).run()
    assert nat.waited == [1.0]  # half of the time for cleaning up: the other half is for deleting
    (deletion,) = (call for call in backend.calls if call.hook == "delete_mapping")
    assert deletion.arguments == (TCP, deleted, 8080)


def test_a_mapping_whose_answer_made_no_sense_is_deleted_all_the_same() -> None:
    backend = ScriptedBackend(ports=lambda _: 0)
    play(backend, wanted(WEB), end=100)
    assert backend.table == {}


def test_a_mapping_refused_after_an_alert_may_be_there_still_and_is_deleted() -> None:
    backend = ScriptedBackend().refuse(50, 60)
    told = play(backend, [*wanted(WEB), (50, GatewayAlert("rebooted"))], end=50.5)
    assert "mapping.lost" in told.names()
    assert backend.table == {}


def test_on_the_way_out_everything_that_is_held_is_deleted_and_told() -> None:
    backend = ScriptedBackend()
    told = play(backend, wanted(WEB, DNS), end=100)
    assert backend.table == {}
    assert [(event.key, event.reason) for event in mapping_events(told, "mapping.removed")] == [
        (WEB.key, ""),
        (DNS.key, ""),
    ]


def test_deletion_names_the_external_port() -> None:
    backend = ScriptedBackend(ports=lambda port: 9999)
    play(backend, wanted(WEB), end=1)
    assert backend.calls[-1].arguments == (TCP, 9999, 8080)


def test_a_silent_gateway_is_asked_once_for_all_that_is_held() -> None:
    requests = [PortRequest(TCP, port) for port in range(1000, 1010)]
    backend = ScriptedBackend().silent(99, FOREVER)
    told = play(backend, wanted(*requests), end=100)
    assert len(calls(backend, "delete_mapping")) == 1
    assert told.inbox.seconds == 103.75


def test_what_could_not_be_deleted_is_told_with_the_reason() -> None:
    told = play(ScriptedBackend().silent(99, FOREVER), wanted(WEB), end=100)
    (event,) = mapping_events(told, "mapping.removed")
    assert (event.error, "left to run out" in event.reason) == ("GatewayTimeout", True)


def test_a_refused_deletion_does_not_hinder_the_next() -> None:
    backend = ScriptedBackend().refuse(99, FOREVER, hook="delete_mapping")
    play(backend, wanted(WEB, DNS), end=100)
    assert len(calls(backend, "delete_mapping")) == 2


def test_a_gateway_that_was_never_found_is_not_asked_to_delete() -> None:
    backend = ScriptedBackend().silent(0, FOREVER)
    play(backend, wanted(WEB), end=100)
    assert calls(backend, "delete_mapping") == []


def test_a_request_that_comes_with_the_stop_is_not_opened() -> None:
    backend = ScriptedBackend()
    play(backend, [*wanted(WEB, at=100)], end=100)
    assert backend.table == {}


def test_the_watch_ends_with_the_loop() -> None:
    closed = []

    class Watching(ScriptedBackend):
        @hookimpl
        def watch(self, alert: AlertHook) -> Closer:
            return lambda: closed.append(True)

    play(Watching(), [], end=1)
    assert closed == [True]


# what settles together


def test_a_burst_settles_once() -> None:
    told = play(ScriptedBackend(), wanted(WEB, DNS), end=50)
    assert told.settled == [0, 50]


def test_what_is_let_go_together_settles_once() -> None:
    told = play(ScriptedBackend(), [*wanted(WEB, DNS), (50, Unregister(WEB.key)), (50, Unregister(DNS.key))], end=55)
    assert told.settled == [0, 50, 55]


def test_address_and_ports_make_one_record_at_the_start() -> None:
    first, _ = records(ScriptedBackend(), wanted(WEB, DNS), end=1000)
    assert (str(first.ip), first.tcp, first.udp) == ("1.2.3.4", 8080, 53)


def test_only_a_real_change_makes_a_new_record() -> None:
    backend = ScriptedBackend().silent(400, 500).refuse(700, 800).moves(1000, "5.6.7.8")
    made = records(backend, wanted(WEB), end=2000)
    assert [str(record.ip) for record in made] == ["1.2.3.4", "5.6.7.8", "5.6.7.8"]
    assert [record.seq for record in made] == [1, 2, 3]


def test_a_lapsed_mapping_leaves_the_record() -> None:
    made = records(ScriptedBackend().refuse(1, FOREVER), wanted(WEB), end=900)
    assert [record.tcp for record in made] == [8080, None]


@pytest.mark.parametrize("address", ["192.168.0.5", "100.64.3.4"])
def test_an_unreachable_address_is_not_published(address: str) -> None:
    assert {record.ip for record in records(ScriptedBackend().moves(0, address), wanted(WEB), end=10)} == {None}


def test_a_lost_gateway_leaves_the_address_in_the_record() -> None:
    made = records(ScriptedBackend().silent(100, 200), wanted(WEB), end=250)
    assert [str(record.ip) for record in made] == ["1.2.3.4", "1.2.3.4"]


# whatever happens

TROUBLES = st.lists(
    st.tuples(
        st.integers(90, 400),  # seconds of health before it
        st.integers(1, 120),  # seconds that it lasts
        st.sampled_from(["", "add_mapping", "external_ip"]),
        st.sampled_from(["silence", "refusal", "nonsense", "lost answers"]),
    ),
    max_size=10,
)
Trouble: TypeAlias = tuple[int, int, str, str]


def afflicted(troubles: list[Trouble]) -> tuple[ScriptedBackend, int]:
    """A backend with these misfortunes, and a second at which all is well again."""
    backend, now = ScriptedBackend(), 0
    for health, duration, hook, kind in troubles:
        now += health
        match kind:
            case "silence":
                backend.silent(now, now + duration, hook=hook)
            case "refusal":
                backend.refuse(now, now + duration, hook=hook)
            case "nonsense":
                backend.fails(now, now + duration, lambda: ValueError("oops"), hook)
            case _:
                backend.unheard(now, now + duration)
        now += duration
    return backend, now + 700


@settings(max_examples=10, deadline=None)
@given(TROUBLES, st.floats(0, 1))
def test_no_misfortune_of_two_minutes_makes_a_gap(troubles: list[Trouble], spread: float) -> None:
    backend, end = afflicted(troubles)
    told = play(backend, wanted(WEB, DNS), end=end, spread=spread)
    assert "mapping.lost" not in told.names()
    for request in (WEB, DNS):
        held = [at for at, event in told.events if isinstance(event, HELD) and event.key == request.key]
        assert all(later - earlier <= 600 for earlier, later in pairwise([*held, end]))


@settings(max_examples=10, deadline=None)
@given(TROUBLES, st.floats(0, 1))
def test_whatever_happened_the_table_is_empty_in_the_end(troubles: list[Trouble], spread: float) -> None:
    backend, end = afflicted(troubles)
    play(backend, wanted(WEB, DNS), end=end, spread=spread)
    assert backend.table == {}


@settings(max_examples=10, deadline=None)
@given(TROUBLES, st.lists(st.sampled_from([0, -1, 65536, 80, 8080, 65535]), min_size=1))
def test_no_event_ever_claims_a_port_that_is_none(troubles: list[Trouble], ports: list[int]) -> None:
    backend, end = afflicted(troubles)
    backend._ports = lambda port: ports[len(backend.calls) % len(ports)]
    told = play(backend, wanted(WEB, DNS), end=end)
    claimed = [event.external_port for _, event in told.events if isinstance(event, PortEvent)]
    assert all(port is None or 1 <= port <= 65535 for port in claimed)


@settings(max_examples=10, deadline=None)
@given(TROUBLES)
def test_the_stream_of_a_mapping_always_makes_sense(troubles: list[Trouble]) -> None:
    backend, end = afflicted([*troubles, (90, 700, "", "refusal")])
    told = play(backend, wanted(WEB), end=end)
    is_open = False
    for _, event in told.events:
        if event.event in {"mapping.renewed", "mapping.changed", "mapping.lost", "mapping.removed"}:
            assert is_open
        if event.event == "mapping.added":
            assert not is_open
        if isinstance(event, PortEvent) and event.event != "mapping.failed":
            is_open = event.event in {"mapping.added", "mapping.renewed", "mapping.changed"}


# a gateway that tells its address with a mapping only


class TellsLate(ScriptedBackend):
    """PCP's way: the external address is in the grant, and nowhere else before."""

    @hookimpl
    def external_ip(self) -> IPv4Address:
        self._hear("external_ip")
        raise NotYet("with a mapping only")

    @hookimpl
    def add_mapping(self, protocol: Protocol, external_port: int, internal_port: int, lifetime: int) -> Grant:
        grant = super().add_mapping(protocol, external_port, internal_port, lifetime)
        return replace(grant, external_ip=IPv4Address("5.6.7.8"))


def test_an_address_that_comes_with_the_first_mapping_is_told_before_it() -> None:
    told = play(TellsLate(), wanted(WEB, DNS), end=290)
    names = ["gateway.found", "external_ip.changed", "mapping.added", "mapping.added"]
    assert told.names()[:4] == names
    assert len(told.of("external_ip.changed")) == 1
    assert not told.of("external_ip.failed")


def test_what_the_first_grant_states_costs_no_second_round() -> None:
    backend = TellsLate()
    play(backend, wanted(WEB, DNS), end=290, policy=RARELY)
    assert calls(backend) == [0, 0]


def test_a_mapping_whose_granted_address_changes_has_the_address_asked_for_at_once() -> None:
    class Moving(ScriptedBackend):
        @hookimpl
        def add_mapping(self, protocol: Protocol, external_port: int, internal_port: int, lifetime: int) -> Grant:
            grant = super().add_mapping(protocol, external_port, internal_port, lifetime)
            return replace(grant, external_ip=self._addresses[-1][1] if self.inbox.seconds > 100 else None)

    told = play(Moving().moves(101, "5.6.7.8"), wanted(WEB), end=310, policy=Policy(ip_interval=500))
    assert seconds(told, "external_ip.changed") == [0, 300]


def test_an_address_in_a_grant_does_not_overrule_the_one_that_was_stated() -> None:
    class Both(TellsLate):
        @hookimpl
        def external_ip(self) -> IPv4Address:
            return IPv4Address("1.2.3.4")

    told = play(Both(), wanted(WEB), end=290)
    assert [event.to_dict()["external_ip"] for _, event in told.of("external_ip.changed")] == ["1.2.3.4"]


# Words of the gateway ---------------------------------------------------------------------------------------------


def in_new_words(code: int = 0) -> Callable[[], Exception]:
    """Refusals of one kind, each worded anew."""
    numbers = count()
    return lambda: Refused(f"refusal number {next(numbers)}", code=code)


def test_a_refusal_in_new_words_each_time_is_told_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    backend = ScriptedBackend().fails(0, 300, in_new_words(), "add_mapping")
    with caplog.at_level(logging.INFO, "portmap"):
        told = play(backend, wanted(WEB), end=290)
    assert len(calls(backend)) > 5
    assert len(seconds(told, "mapping.failed")) == 1
    assert len([record for record in caplog.records if "refusal number" in record.getMessage()]) == 1


def test_a_refusal_with_another_code_is_told() -> None:
    backend = (
        ScriptedBackend().fails(0, 20, in_new_words(1), "add_mapping").fails(20, 60, in_new_words(2), "add_mapping")
    )
    assert len(seconds(play(backend, wanted(WEB), end=59), "mapping.failed")) == 2


def test_an_address_refused_in_new_words_each_time_is_told_once() -> None:
    backend = ScriptedBackend().fails(0, 900, in_new_words(), "external_ip")
    assert len(seconds(play(backend, [], end=890), "external_ip.failed")) == 1


def test_the_failures_of_an_optional_path_are_logged_for_debugging_only(caplog: pytest.LogCaptureFixture) -> None:
    backend = ScriptedBackend().silent(0, 300)
    with caplog.at_level(logging.INFO, "portmap"):
        play(backend, wanted(WEB), end=290, policy=Policy(optional=True))
    assert not caplog.records


def test_a_lost_gateway_is_told_with_the_time_until_the_next_try() -> None:
    told = play(ScriptedBackend().silent(0, 300), wanted(WEB), end=60)
    ((at, event),) = told.of("gateway.lost")
    assert isinstance(event, GatewayLost)
    assert (at, event.retry_in) == (3.75, 1.0)
