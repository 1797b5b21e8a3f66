"""TCP and UDP with one external port, in the loop on scripted time; and tokens."""

from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.loop.paired_ports import (
    FOREVER,
    FRESH,
    RARELY,
    TCP,
    UDP,
    Town,
    calls,
    mappings,
    never_the_same,
    reasons,
    wanted,
)

from portmap.errors import Conflict, Refused
from portmap.events import PortEvent
from portmap.hookspecs import hookimpl
from portmap.loop.inbox import GatewayAlert, Register, Unregister
from portmap.loop.policy import OnConflict, Policy
from portmap.model import Grant, Key, Protocol
from portmap.syntax.mappings import parse_mappings
from portmap.testing.scripted import ScriptedBackend, play

# pairs


def test_a_pair_that_finds_its_port_free_is_asked_for_once_each() -> None:
    town = Town()
    assert mappings(play(town, wanted("4001/both"), end=1), until=1) == ["added TCP 4001", "added UDP 4001"]
    assert calls(town, "add_mapping") == [(TCP, 0, 4001), (UDP, 4001, 4001)]


@pytest.mark.parametrize("text", ["4001/both", "4001:4001/both", "4001:8080/both"])
def test_the_second_half_is_asked_for_at_the_port_that_the_first_was_given(text: str) -> None:
    town = Town(Key(TCP, 4001), drawn=None if ":" in text else lambda protocol, wanted: max(wanted, 4002))
    assert mappings(play(town, wanted(text), end=1), until=1) == ["added TCP 4002", "added UDP 4002"]


def test_a_half_that_is_registered_later_is_asked_for_there_too() -> None:
    tcp, udp = parse_mappings(["4001/both"])
    town = Town(Key(TCP, 4001))
    told = play(town, [(0, Register(tcp)), (50, Register(udp))], end=60)
    assert mappings(told, until=60) == ["added TCP 4002", "renewed TCP 4002", "added UDP 4002"]


def test_where_the_second_half_cannot_be_there_the_first_one_moves_to_it() -> None:
    town = Town(Key(TCP, 4001), Key(UDP, 4002))
    told = play(town, wanted("4001/both"), end=1)
    assert mappings(told, until=1)[:3] == ["added TCP 4002", "added UDP 4003", "changed TCP 4003"]
    assert calls(town, "delete_mapping")[0] == (TCP, 4002, 4001)


def test_after_a_move_both_halves_are_opened_anew_for_it_may_have_shut_the_one_that_stays() -> None:
    town = Town(Key(TCP, 4001), Key(UDP, 4002))
    told = play(town, wanted("4001/both"), end=1)
    assert mappings(told, until=1)[2:] == ["changed TCP 4003", "renewed UDP 4003"]  # what is moved is told once
    assert calls(town, "delete_mapping")[1:3] == [(TCP, 4003, 4001), (UDP, 4003, 4001)]


class Keeping(Town):
    """Deletes nothing that is on port 4003."""

    @hookimpl
    def delete_mapping(self, protocol: Protocol, external_port: int, internal_port: int) -> None:
        if external_port == 4003:
            raise Refused("not that one")
        super().delete_mapping(protocol, external_port, internal_port)


def test_after_a_move_what_cannot_be_opened_anew_is_told_as_it_is() -> None:
    told = play(Keeping(Key(TCP, 4001), Key(UDP, 4002)), wanted("4001/both"), end=1)
    assert mappings(told, until=1)[2:] == ["changed TCP 4003", "renewed UDP 4003"]  # UDP as the younger half


def test_a_hole_that_neither_finds_alone_is_found_by_a_fresh_port() -> None:
    taken = [Key(TCP, port) for port in range(4001, 4400, 2)] + [Key(UDP, port) for port in range(4002, 4400, 2)]
    told = play(Town(*taken), wanted("4001/both"), end=1)
    changed = [line for line in mappings(told, until=1) if line.startswith("changed")]
    assert changed[-2:] == [f"changed UDP {FRESH}", f"changed TCP {FRESH}"]


def test_without_a_common_port_four_moves_are_tried_and_the_reason_is_told() -> None:
    town = Town(drawn=never_the_same())
    told = play(town, wanted("4001/both"), end=3000)
    assert len(calls(town, "delete_mapping")) == 4 + 2  # the moves, and the way out
    assert reasons(told)[-1] == "TCP has 5006 and UDP 5005: the gateway gave no common port"
    assert len(told.of("mapping.changed")) == 3  # the one that moved itself was not told of


def test_the_reason_is_told_once() -> None:
    told = play(Town(drawn=never_the_same()), wanted("4001/both"), end=3000)
    assert len([reason for reason in reasons(told) if "no common port" in reason]) == 1


def test_after_a_reboot_it_is_tried_again() -> None:
    town = Town(drawn=lambda protocol, wanted: wanted if town.inbox.seconds >= 50 else next(ports))
    ports = count(5001)
    told = play(town.reboots(50), [*wanted("4001/both"), (50, GatewayAlert("rebooted"))], end=60)
    tcp, udp = mappings(told)[-2:]
    assert tcp.split()[-1] == udp.split()[-1]


def test_a_reboot_that_gives_one_half_away_takes_the_other_along() -> None:
    town = Town().reboots(50)
    story = [*wanted("4001/both"), (50.0, GatewayAlert("rebooted"))]
    town._drawn = lambda protocol, wanted: 4009 if (protocol, town.inbox.seconds) == (UDP, 50) else wanted
    told = play(town, story, end=60)
    assert mappings(told, until=60)[2:5] == ["renewed TCP 4001", "changed UDP 4009", "changed TCP 4009"]


def test_two_ports_that_were_not_asked_for_together_stay_apart() -> None:
    told = play(Town(Key(TCP, 4001)), wanted("4001/tcp", "4001/udp"), end=1)
    assert mappings(told, until=1) == ["added TCP 4002", "added UDP 4001"]


def test_where_only_one_port_will_do_a_pair_waits_for_it_and_nothing_is_moved() -> None:
    town = Town(Key(TCP, 4001))
    told = play(town, wanted("4001/both"), end=1, policy=Policy(on_conflict=OnConflict.FAIL))
    assert [event.event for _, event in told.events][2:4] == ["mapping.failed", "mapping.added"]
    assert {Key(own.protocol, port) for own, port in town.table.items()} <= {Key(UDP, 4001)}


def test_what_cannot_be_deleted_stays_where_it_is_and_the_reason_is_told() -> None:
    town = Town(Key(TCP, 4001), Key(UDP, 4002))
    told = play(town.refuse(0, 10, hook="delete_mapping"), wanted("4001/both"), end=20)
    assert mappings(told, until=20) == ["added TCP 4002", "added UDP 4003", "renewed TCP 4002", "renewed UDP 4003"]
    assert reasons(told)[-1] == "TCP has 4002 and UDP 4003: the gateway gave no common port"


def test_a_move_that_is_refused_is_a_loss_until_it_is_granted() -> None:
    town = Town(Key(TCP, 4001), Key(UDP, 4002))
    town.fails(0, 2, lambda: Conflict("taken"), "moved")
    town._drawn = lambda protocol, wanted: town._next_free(protocol, wanted) if not _moving(town) else _suffer(town)
    told = play(town, wanted("4001/both"), end=20)
    mended = ["lost TCP 4002", "failed TCP None", "renewed UDP 4003", "added TCP 4003"]
    assert mappings(told, until=20)[2:6] == mended


def _moving(town: Town) -> bool:
    return len(calls(town, "delete_mapping")) > 0


def _suffer(town: Town) -> int:
    town._suffer("moved")
    return town._next_free(TCP, 4003)


def test_a_stop_in_the_middle_of_a_move_leaves_nothing_behind() -> None:
    town = Town(Key(TCP, 4001), Key(UDP, 4002))
    play(town.silent(0, 1, hook="delete_mapping", after=5), wanted("4001/both"), end=2)
    assert town.table == {}


def test_a_move_whose_answer_is_lost_leaves_nothing_behind() -> None:
    town = Town(Key(TCP, 4001), Key(UDP, 4002))
    story = [*wanted("4001/both"), (100.0, Unregister(Key(TCP, 4001)))]
    play(town.unheard(0.5, FOREVER), story, end=200)
    assert town.table == {}


def test_a_half_that_is_let_go_leaves_the_other_where_it_is() -> None:
    town = Town(Key(TCP, 4001))
    told = play(town, [*wanted("4001/both"), (50, Unregister(Key(TCP, 4001)))], end=1000, policy=RARELY)
    assert mappings(told)[2:] == ["removed TCP 4002", *["renewed UDP 4002"] * 4, "removed UDP 4002"]


PORTS = st.frozensets(st.tuples(st.sampled_from(Protocol), st.integers(4001, 4008)))


@settings(max_examples=60)
@given(PORTS, st.sampled_from(["4001/both", "4001=follow/both", "4001-4003/both"]), st.floats(0, 1))
def test_whatever_the_neighbours_hold_every_pair_ends_on_one_port(
    taken: frozenset[Key], text: str, spread: float
) -> None:
    town = Town(*taken)
    told = play(town, wanted(text), end=250, spread=spread)
    last = {event.key: event.external_port for _, event in told.events if isinstance(event, PortEvent)}
    assert all(last[Key(TCP, it.internal_port)] == last[Key(UDP, it.internal_port)] for it in last)
    assert not any("no common port" in reason or "to itself" in reason for reason in reasons(told))
    assert town.table == {}


# what the backend wants back


class Tokens(ScriptedBackend):
    """Gives a token with every mapping, and notes what it is given."""

    given: list[str]

    @hookimpl
    def add_mapping(  # type: ignore[override]  # a hook takes the arguments that it needs
        self, protocol: Protocol, external_port: int, internal_port: int, lifetime: int, token: str
    ) -> Grant:
        self.given = [*getattr(self, "given", []), token]
        grant = super().add_mapping(protocol, external_port, internal_port, lifetime)
        return Grant(grant.external_port, lifetime, token=f"nonce of {protocol}")

    @hookimpl
    def delete_mapping(  # type: ignore[override]  # as above
        self, protocol: Protocol, external_port: int, internal_port: int, token: str
    ) -> None:
        self.given.append(token)
        super().delete_mapping(protocol, external_port, internal_port)


def test_a_token_comes_back_with_every_call_also_after_a_failure() -> None:
    backend = Tokens()
    play(backend.refuse(300, 700), wanted("4001"), end=800)
    assert set(backend.given[1:]) == {"nonce of TCP"}


def test_the_first_time_there_is_none() -> None:
    backend = Tokens()
    play(backend, wanted("4001"), end=1)
    assert backend.given[0] == ""
