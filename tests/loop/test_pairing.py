"""Ring 1: which mapping to move so that two ports agree, and when to leave it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portmap.loop.lease import Lease
from portmap.loop.lease_parts import Held, PairState
from portmap.loop.pairing import PortMove, aligned_with, fresh_port, next_move, partner, ports_in_use, settled
from portmap.model import Grant, Key, PortRequest, Protocol

TCP, UDP = Protocol.TCP, Protocol.UDP


def half(protocol: Protocol, port: int = 0, *, internal: int = 4001, inner: int = 0, moves: int = 0) -> Lease:
    """Half of a pair; it follows where an inner port is given. Port 0: not held."""
    request = PortRequest(protocol, internal, paired=True, follow=inner > 0)
    lease = replace(Lease.of(request, 0.0), target_port=inner or internal, pair=PairState(moves=moves))
    return lease.granted(Grant(port, 600), None, 0.0, 0.0) if port else lease


def single(port: int, inner: int, moves: int = 0) -> Lease:
    """A lease that follows from internal port 6881 on."""
    lease = replace(Lease.of(PortRequest(TCP, 6881, follow=True), 0.0), target_port=inner, pair=PairState(moves=moves))
    return lease.granted(Grant(port, 600), None, 0.0, 0.0)


# who is a pair


def test_two_that_want_one_port_are_partners() -> None:
    assert partner(half(TCP), half(UDP)) == half(UDP)


def test_no_companion_means_no_partner() -> None:
    assert partner(half(TCP), None) is None


def test_a_request_without_both_has_no_partner() -> None:
    alone = Lease.of(PortRequest(UDP, 4001), 0.0)
    assert partner(half(TCP), alone) is None
    assert partner(alone, half(TCP)) is None


def test_only_one_that_follows_too_is_a_follower_s_partner() -> None:
    assert partner(half(TCP), half(UDP, inner=4001)) is None


# before the partner is asked for


def test_a_lease_that_is_not_open_yet_asks_for_the_port_of_its_partner() -> None:
    assert aligned_with(half(UDP), half(TCP, 4002)).requested_port == 4002


def test_what_may_be_open_somewhere_is_asked_for_where_it_was() -> None:
    unsure = half(UDP).failed("silence", 0.0, 0.0, unsure=True)
    assert aligned_with(unsure, half(TCP, 4002)) == unsure


def test_what_is_open_stays_as_it_is() -> None:
    assert aligned_with(half(UDP, 4005), half(TCP, 4002)) == half(UDP, 4005)


# pairs


def test_two_on_one_port_are_left_alone() -> None:
    assert next_move(half(TCP, 4002), half(UDP, 4002), 0.0) is None


def test_nothing_is_moved_for_a_partner_that_is_not_open() -> None:
    assert next_move(half(TCP, 4002), half(UDP), 0.0) is None


@pytest.mark.parametrize(("moves", "move"), [(0, (TCP, 4005)), (1, (TCP, 4005)), (2, (UDP, 49152)), (3, (TCP, 4005))])
def test_the_partner_follows_what_was_granted_last_and_once_both_try_a_fresh_port(
    moves: int, move: tuple[Protocol, int]
) -> None:
    protocol, port = move
    assert next_move(half(UDP, 4005), half(TCP, 4002, moves=moves), 0.0) == PortMove(Key(protocol, 4001), port, 4001)


def test_after_four_moves_it_is_enough() -> None:
    assert next_move(half(UDP, 4005, moves=1), half(TCP, 4002, moves=3), 0.0) is None


@given(st.floats(0, 1))
def test_a_fresh_port_is_an_unregistered_one(spread: float) -> None:
    move = next_move(half(UDP, 4005), half(TCP, 4002, moves=2), spread)
    assert move
    assert 49152 <= move.external_port <= 65535


@pytest.mark.parametrize(("spread", "port"), [(0.0, 49152), (0.25, 53248), (0.5, 57344), (1.0, 65535)])
def test_chance_chooses_among_all_unregistered_ports(spread: float, port: int) -> None:
    assert fresh_port(spread) == port


def test_a_static_lease_is_never_moved() -> None:
    static = replace(half(TCP, 4002), at_gateway=Held(4002, static=True))
    assert next_move(static, half(UDP, 4005), 0.0) is None
    assert next_move(half(UDP, 4005), static, 0.0) is None


def test_apart_for_good_both_know_why() -> None:
    notes = {lease.pair.note for lease in settled(half(UDP, 4005, moves=4), half(TCP, 4001))}
    assert notes == {"TCP has 4001 and UDP 4005: the gateway gave no common port"}


def test_when_ports_agree_moves_and_note_are_reset() -> None:
    before = replace(half(UDP, 4002), pair=PairState(moves=2, note="apart")), half(TCP, 4002, moves=1)
    assert [(lease.pair.note, lease.pair.moves) for lease in settled(*before)] == [("", 0), ("", 0)]


def test_alone_the_moves_are_not_forgotten_or_there_would_be_no_end() -> None:
    assert [lease.pair.moves for lease in settled(half(UDP, 4005, moves=4), half(TCP))] == [4, 0]


# following


def test_what_is_one_port_inside_and_outside_is_left_alone() -> None:
    assert next_move(single(40000, 40000), None, 0.0) is None


def test_a_second_choice_is_asked_for_once_where_another_port_was_given() -> None:
    lease = Lease.of(PortRequest(TCP, 8080), 0.0, remembered_port=9090)
    granted = lease.granted(Grant(7000, 600), None, 0.0, 0.0)
    assert next_move(granted, None, 0.0) == PortMove(granted.key, 9090, 8080)
    assert granted.move_to(9090, 8080).second_choice == 0


@pytest.mark.parametrize("port", [8080, 9090])
def test_neither_the_wanted_port_nor_the_second_choice_is_moved(port: int) -> None:
    lease = Lease.of(PortRequest(TCP, 8080), 0.0, remembered_port=9090)
    assert next_move(lease.granted(Grant(port, 600), None, 0.0, 0.0), None, 0.0) is None


@pytest.mark.parametrize("moves", [0, 1])
def test_the_internal_port_is_made_the_external_one_twice_before_a_fresh_port_is_tried(moves: int) -> None:
    assert next_move(single(40000, 6881, moves=moves), None, 0.0) == PortMove(Key(TCP, 6881), 40000, 40000)


def test_the_inner_port_follows_the_outer_one() -> None:
    assert next_move(single(40000, 6881), None, 0.0) == PortMove(Key(TCP, 6881), 40000, 40000)


@pytest.mark.parametrize("moves", [2, 3])
def test_if_that_is_not_granted_it_is_a_fresh_port_inside_and_outside(moves: int) -> None:
    assert next_move(single(40000, 6881, moves), None, 0.0) == PortMove(Key(TCP, 6881), 49152, 49152)


def test_no_other_mapping_of_ours_is_taken_over() -> None:
    assert next_move(single(8080, 6881), None, 0.0, {8080}) == PortMove(Key(TCP, 6881), 49152, 49152)


def test_ports_in_use_are_the_internal_ports_of_our_other_mappings() -> None:
    leases = [single(40000, 40000), Lease.of(PortRequest(TCP, 8080), 0.0), Lease.of(PortRequest(UDP, 6881), 0.0)]
    assert ports_in_use(leases[0], leases) == {8080}
    assert ports_in_use(leases[1], leases) == set()


def test_after_the_last_move_a_mapping_leads_to_the_requested_port_again() -> None:
    assert next_move(single(40009, 40008, moves=4), None, 0.0) == PortMove(Key(TCP, 6881), 40009, 6881)


def test_and_there_it_stays_with_the_reason() -> None:
    lease = single(40009, 6881, moves=5)
    assert next_move(lease, None, 0.0) is None
    (lease,) = settled(lease, None)
    assert lease.pair.note == "the gateway maps no port to itself: let the application listen on 6881"
    assert lease.pair.moves == 5


def test_a_pair_that_follows_moves_inside_and_outside() -> None:
    move = next_move(half(TCP, 40000, inner=40000), half(UDP, 40001, inner=40001), 0.0)
    assert move == PortMove(Key(UDP, 4001), 40000, 40000)


def test_where_the_internal_port_is_nominal_the_partner_is_asked_again_until_it_is_enough() -> None:
    tcp, udp = half(TCP, 40000, internal=1, inner=1), half(UDP, 40001, internal=1, inner=1)
    moves = [next_move(tcp, replace(udp, pair=PairState(moves=moves)), 0.0) for moves in range(5)]
    assert moves == [PortMove(Key(UDP, 1), 40000, 1)] * 4 + [None]
