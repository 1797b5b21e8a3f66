"""The loop on scripted time: alerts, what settles together, and what holds whatever happens."""

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv4Address
from itertools import pairwise
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.loop.scripted_loop import (
    DNS,
    FOREVER,
    HELD,
    MINUTELY,
    RARELY,
    WEB,
    calls,
    play,
    ports_asked_for,
    seconds,
    wanted,
)

from portmap.backends.nat import Nat
from portmap.errors import NotYet
from portmap.events import Event, PortEvent
from portmap.hookspecs import hookimpl
from portmap.loop.inbox import GatewayAlert, Message, NetworkAlert, Recheck, Unregister
from portmap.loop.loop import Loop
from portmap.loop.policy import Policy
from portmap.model import Grant, Protocol
from portmap.node.local_node import LocalNode, Record
from portmap.testing.clock import ScriptedInbox
from portmap.testing.scripted import ScriptedBackend


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


def test_router_advertisements_that_change_our_ipv6_network_again_and_again_are_followed_less_and_less_often() -> None:
    backend = ScriptedBackend()
    flood: list[tuple[float, Message]] = [
        (10 + tick / 10, NetworkAlert(f"router {tick}", certain=False)) for tick in range(3000)
    ]
    told = play(backend, [*wanted(WEB), *flood], end=310, policy=RARELY)
    assert calls(backend) == [0, 10, 11, 13, 17, 25, 41, 73, 133, 193, 253]
    assert len(told.of("network.changed")) <= 11


def test_an_alert_is_no_reboot_while_nothing_is_mapped() -> None:
    backend = ScriptedBackend()
    told = play(backend, [(100, GatewayAlert("it announced itself"))], end=101)
    assert "gateway.found" in told.names()
    assert not told.of("gateway.rebooted")


def test_what_the_other_path_learnt_has_everything_asked_for_again_and_is_not_told_twice() -> None:
    backend = ScriptedBackend()
    told = play(backend, [*wanted(WEB), (100, Recheck("gateway.rebooted"))], end=101)
    assert calls(backend) == [0, 100]
    assert not {"gateway.rebooted", "network.changed"} & set(told.names())


def test_a_second_restart_is_not_kept_waiting_by_what_the_other_path_learnt_of_the_first() -> None:
    backend, again = ScriptedBackend(), GatewayAlert("rebooted")
    play(backend, [*wanted(WEB), (100, again), (100.1, Recheck("gateway.rebooted")), (102.5, again)], end=104)
    assert calls(backend) == [0, 100, 101, 102.5]


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


@settings(max_examples=10)
@given(TROUBLES, st.floats(0, 1))
def test_no_misfortune_of_two_minutes_makes_a_gap(troubles: list[Trouble], spread: float) -> None:
    backend, end = afflicted(troubles)
    told = play(backend, wanted(WEB, DNS), end=end, spread=spread)
    assert "mapping.lost" not in told.names()
    for request in (WEB, DNS):
        held = [at for at, event in told.events if isinstance(event, HELD) and event.key == request.key]
        assert all(later - earlier <= 600 for earlier, later in pairwise([*held, end]))


@settings(max_examples=10)
@given(TROUBLES, st.floats(0, 1))
def test_whatever_happened_the_table_is_empty_in_the_end(troubles: list[Trouble], spread: float) -> None:
    backend, end = afflicted(troubles)
    play(backend, wanted(WEB, DNS), end=end, spread=spread)
    assert backend.table == {}


@settings(max_examples=10)
@given(TROUBLES, st.lists(st.sampled_from([0, -1, 65536, 80, 8080, 65535]), min_size=1))
def test_no_event_ever_claims_a_port_that_is_none(troubles: list[Trouble], ports: list[int]) -> None:
    backend, end = afflicted(troubles)
    backend._ports = lambda port: ports[len(backend.calls) % len(ports)]
    told = play(backend, wanted(WEB, DNS), end=end)
    claimed = [event.external_port for _, event in told.events if isinstance(event, PortEvent)]
    assert all(port is None or 1 <= port <= 65535 for port in claimed)


@settings(max_examples=10)
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
