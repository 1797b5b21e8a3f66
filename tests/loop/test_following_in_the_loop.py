"""Applications that listen on the external port, in the loop on scripted time; and static grants."""

from collections.abc import Callable

import pytest
from tests.loop.paired_ports import FRESH, RARELY, TCP, Town, calls, mappings, never_the_same, reasons, wanted

from portmap.errors import Refused
from portmap.events import PortEvent
from portmap.hookspecs import hookimpl
from portmap.loop.inbox import GatewayAlert
from portmap.loop.policy import OnConflict, Policy
from portmap.model import Grant, Key, Protocol
from portmap.testing.scripted import ScriptedBackend, play

# following


def draws(*ports: int, every: float = 1000.0) -> Callable[[Town], Callable[[Protocol, int], int]]:
    """A VPN's way to choose: one port for both protocols, another one every so many seconds."""
    return lambda town: lambda protocol, wanted: ports[int(town.inbox.seconds / every) % len(ports)]


def vpn(*ports: int, every: float = 1000.0) -> Town:
    town = Town()
    town._drawn = draws(*ports, every=every)(town)
    return town


def test_whatever_port_is_drawn_is_the_one_to_listen_on() -> None:
    told = play(vpn(37713), wanted("follow/both"), end=1)
    assert mappings(told, until=1) == ["added TCP 37713", "added UDP 37713"]
    assert all(event.follow for _, event in told.of("mapping.added") if isinstance(event, PortEvent))
    assert reasons(told) == []


@pytest.mark.parametrize("text", ["follow/both", "0=follow/both"])
def test_a_nominal_internal_port_is_asked_for_as_it_is_and_nothing_is_deleted_to_move(text: str) -> None:
    town = Town(drawn=lambda protocol, wanted: 40000 if protocol is TCP else 40001)
    told = play(town, wanted(text), end=1)
    assert len(calls(town, "delete_mapping")) == 2  # on the way out
    assert reasons(told)[-1] == "TCP has 40000 and UDP 40001: the gateway gave no common port"


def test_a_gateway_that_draws_another_port_is_followed_by_both_at_once() -> None:
    town = vpn(37713, 41234, every=250).reboots(290)
    told = play(town, wanted("follow/both"), end=310, policy=RARELY)
    assert [(at, event.to_dict()["external_port"]) for at, event in told.of("mapping.changed")] == [
        (300, 41234),
        (300, 41234),
    ]


def test_the_internal_port_is_taken_along_to_the_external_one() -> None:
    town = Town(Key(TCP, 6881))
    told = play(town, wanted("6881=follow"), end=1)
    assert mappings(told) == ["added TCP 6882", "removed TCP 6882"]
    assert calls(town, "add_mapping") == [(TCP, 0, 6881), (TCP, 6882, 6882)]
    assert calls(town, "delete_mapping") == [(TCP, 6882, 6881), (TCP, 6882, 6882)]


def test_the_mapping_keeps_the_name_that_it_was_asked_for_by() -> None:
    ((_, event),) = play(Town(Key(TCP, 6881)), wanted("bt=6881=follow"), end=1).of("mapping.added")
    assert isinstance(event, PortEvent)
    assert (event.key, event.external_port, event.follow, event.name) == (Key(TCP, 6881), 6882, True, "bt")


def test_where_the_first_answer_fits_nothing_is_moved() -> None:
    town = Town()
    assert mappings(play(town, wanted("6881=follow"), end=1), until=1) == ["added TCP 6881"]
    assert len(town.calls) == 3


def test_it_is_renewed_where_it_is() -> None:
    town = Town(Key(TCP, 6881))
    play(town, wanted("6881=follow"), end=650, policy=RARELY)
    assert calls(town, "add_mapping")[2:] == [(TCP, 6882, 6882)] * 2


def test_where_no_port_leads_to_itself_it_leads_to_the_one_that_was_asked_for() -> None:
    town = Town(drawn=never_the_same())
    ((_, event),) = play(town, wanted("6881=follow"), end=1000).of("mapping.added")
    assert isinstance(event, PortEvent)
    assert event.reason == "the gateway maps no port to itself: let the application listen on 6881"
    assert event.follow is None
    assert calls(town, "add_mapping")[-1] == (TCP, event.external_port, 6881)
    assert town.table == {}


def test_no_other_port_of_ours_is_taken_over() -> None:
    town = Town(Key(TCP, 6881))
    told = play(town, wanted("7000:6882", "6881=follow"), end=1)
    assert mappings(told, until=1) == ["added TCP 7000", f"added TCP {FRESH}"]


def test_a_mapping_that_follows_takes_any_external_port_under_on_conflict_fail() -> None:
    told = play(vpn(37713), wanted("follow"), end=1, policy=Policy(on_conflict=OnConflict.FAIL))
    assert mappings(told, until=1) == ["added TCP 37713"]


def test_an_unannounced_mapping_is_deleted_all_the_same() -> None:
    town = Town(Key(TCP, 6881))
    play(town.silent(0, 1, hook="delete_mapping", after=5), wanted("6881=follow"), end=2)
    assert town.table == {}


# what needs nothing, and who says when to ask again


class Open(ScriptedBackend):
    """A host that is reachable as it stands."""

    @hookimpl
    def add_mapping(self, protocol: Protocol, external_port: int, internal_port: int, lifetime: int) -> Grant:
        super().add_mapping(protocol, external_port, internal_port, lifetime)
        return Grant(external_port or internal_port, 0, static=True)


def test_what_needs_nothing_is_told_as_such_and_asserted_now_and_then() -> None:
    told = play(Open(), wanted("4001/both"), end=650)
    assert [event.to_dict()["static"] for _, event in told.of("mapping.added")] == [True, True]
    assert sorted(mappings(told, until=650)[2:]) == ["renewed TCP 4001"] * 2 + ["renewed UDP 4001"] * 2


def test_a_gateway_that_says_when_to_ask_again_is_not_asked_before() -> None:
    backend = ScriptedBackend().fails(0, 100, lambda: Refused("later", retry_after=40), "add_mapping")
    play(backend, wanted("4001"), end=200)
    assert [call.at for call in backend.calls if call.hook == "add_mapping"] == [0, 40, 80, 120]


def test_an_alert_is_a_reason_to_ask_all_the_same() -> None:
    backend = ScriptedBackend().fails(0, 10, lambda: Refused("later", retry_after=1800), "add_mapping")
    told = play(backend, [*wanted("4001"), (20, GatewayAlert("rebooted"))], end=30)
    assert [at for at, _ in told.of("mapping.added")] == [20]
