"""Ring 1: one mapping's state. Time and chance are arguments."""

from dataclasses import replace
from ipaddress import IPv4Address
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portmap.loop.lease import MAX_MOVES, Lease
from portmap.loop.lease_parts import PairState, Trouble
from portmap.model import Grant, PortRequest, Protocol

PUBLIC = IPv4Address("1.2.3.4")
NONCE = "0123456789abcdef"
NEW = Lease.of(PortRequest(Protocol.TCP, 8080), now=100.0)
HELD = NEW.granted(Grant(8080, 600), PUBLIC, now=100.0, spread=0.0)


def failures(lease: Lease, *, of: int = 3, spread: float = 0.0) -> list[float]:
    """The waits after so many failures in a row, each tried when it is due."""
    waits = []
    for _ in range(of):
        now = lease.attempt_at
        lease = lease.failed("no", now, spread)
        waits.append(lease.attempt_at - now)
    return waits


def test_a_new_request_is_due_at_once_and_not_open() -> None:
    assert (NEW.attempt_at, NEW.held, NEW.expires) == (100.0, False, inf)


def test_a_new_request_is_in_no_doubt_and_has_nothing_of_an_earlier_session() -> None:
    assert not any((NEW.doubt.may_be_held, NEW.doubt.may_be_gone, NEW.pair.companion_asked, NEW.static))
    assert (
        NEW.external_port,
        NEW.mapping.lifetime,
        NEW.trouble.failures,
        NEW.pair.open_order,
        NEW.pair.moves,
        NEW.second_choice,
    ) == (0,) * 6
    assert (NEW.trouble.reason, NEW.trouble.kind, NEW.token, NEW.pair.note) == ("",) * 4


@pytest.mark.parametrize(
    ("request_", "remembered", "second"),
    [
        (PortRequest(Protocol.TCP, 8080, external_port=443), 40000, 40000),
        (PortRequest(Protocol.TCP, 8080, external_port=443), 443, 0),
        (PortRequest(Protocol.TCP, 8080), 8080, 0),
        (PortRequest(Protocol.TCP, 8080), 40000, 40000),
        (PortRequest(Protocol.TCP, 8080, follow=True), 40000, 0),
        (PortRequest(Protocol.TCP, 8080, external_port=443, follow=True), 40000, 0),
    ],
)
def test_the_port_of_an_earlier_session_is_the_second_choice_unless_it_is_the_first(
    request_: PortRequest, remembered: int, second: int
) -> None:
    assert Lease.of(request_, 100.0, remembered).second_choice == second


def test_a_request_without_an_external_port_leaves_the_port_to_the_gateway() -> None:
    assert NEW.requested_port == 0


def test_a_suggested_port_is_kept() -> None:
    assert Lease.of(PortRequest(Protocol.TCP, 8080, 80), now=0.0).requested_port == 80


def test_a_grant_opens_the_port_until_it_expires() -> None:
    assert (HELD.held, HELD.external_port, HELD.expires) == (True, 8080, 700.0)


@pytest.mark.parametrize(("spread", "due"), [(0.0, 400.0), (1.0, 475.0)])
def test_renewal_is_due_between_a_half_and_five_eighths_of_the_grant(spread: float, due: float) -> None:
    assert NEW.granted(Grant(8080, 600), PUBLIC, now=100.0, spread=spread).attempt_at == due


def test_a_shorter_grant_is_renewed_at_its_own_half() -> None:
    assert NEW.granted(Grant(8080, 20), PUBLIC, now=100.0, spread=0.0).attempt_at == 110.0


def test_a_longer_grant_is_renewed_as_often_as_was_asked() -> None:
    assert NEW.granted(Grant(8080, 604800), PUBLIC, now=100.0, spread=0.0).attempt_at == 400.0


def test_a_permanent_grant_never_expires_and_is_asserted_as_often_as_was_asked() -> None:
    lease = NEW.granted(Grant(8080, 0), PUBLIC, now=100.0, spread=0.0)
    assert (lease.expires, lease.attempt_at, lease.mapping.lifetime) == (inf, 400.0, 0)


def test_the_port_that_was_granted_is_asked_for_from_then_on() -> None:
    assert NEW.granted(Grant(9999, 600), PUBLIC, now=0.0, spread=0.0).requested_port == 9999


def test_an_address_stated_with_the_grant_goes_before_the_known_one() -> None:
    stated = IPv4Address("5.6.7.8")
    assert NEW.granted(Grant(8080, 600, stated), PUBLIC, now=0.0, spread=0.0).mapping.external_ip == stated


def test_without_one_the_known_address_is_taken() -> None:
    assert HELD.mapping.external_ip == PUBLIC


def test_the_back_off_doubles_from_1_s_to_60_s() -> None:
    assert failures(NEW, of=9) == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_chance_adds_up_to_a_quarter() -> None:
    assert failures(NEW, of=2, spread=1.0) == [1.25, 2.5]


def test_the_back_off_does_not_overflow_after_years() -> None:
    assert replace(NEW, trouble=Trouble(10**9)).failed("no", 0.0, 0.0).attempt_at == 60.0


def test_a_held_lease_is_tried_again_within_a_quarter_of_what_is_left() -> None:
    late = replace(HELD, trouble=Trouble(10))
    assert late.failed("no", 660.0, 0.0).attempt_at == 670.0


def test_even_at_the_very_end_no_faster_than_the_protocol_allows() -> None:
    assert HELD.failed("no", 699.9, 0.0).attempt_at == pytest.approx(700.15)


@given(st.integers(8, 7 * 86400), st.floats(0, 1))
def test_several_tries_fit_between_the_first_failure_and_the_end(lifetime: int, spread: float) -> None:
    lease = NEW.granted(Grant(8080, lifetime), PUBLIC, now=0.0, spread=spread)
    tries = 0
    while lease.attempt_at < lease.expires and tries < 4:
        lease, tries = lease.failed("no", lease.attempt_at, spread), tries + 1
    assert tries == 4


def test_a_failure_keeps_what_is_held() -> None:
    failed = HELD.failed("no", 400.0, 0.0)
    assert (failed.external_port, failed.expires, failed.requested_port) == (8080, 700.0, 8080)


def test_a_grant_ends_the_back_off_and_forgets_the_reason() -> None:
    failed = HELD.failed("no", 400.0, 0.0, unsure=True)
    again = failed.granted(Grant(8080, 600), PUBLIC, now=401.0, spread=0.0)
    assert (again.trouble.failures, again.trouble.reason, again.doubt.may_be_held) == (0, "", False)


def test_once_unsure_a_lease_stays_so_until_it_is_granted() -> None:
    assert NEW.failed("silence", 0.0, 0.0, unsure=True).failed("no", 1.0, 0.0).doubt.may_be_held


def test_at_once_means_now_with_a_fresh_back_off_and_the_same_port() -> None:
    again = replace(HELD, trouble=Trouble(7)).retry_now(123.0)
    assert (again.attempt_at, again.trouble.failures, again.requested_port) == (123.0, 0, 8080)


def test_what_another_deletion_may_have_shut_is_asked_for_now_and_may_be_gone() -> None:
    again = replace(HELD, pair=PairState(companion_asked=True)).ask_again(123.0)
    assert (again.attempt_at, again.pair.companion_asked, again.doubt.may_be_gone) == (123.0, False, True)


def test_what_could_not_be_deleted_is_asked_for_where_it_was_whatever_its_companion_does() -> None:
    kept = HELD.keep_as_is(123.0)
    assert (kept.attempt_at, kept.pair.companion_asked, kept.pair.moves) == (123.0, True, MAX_MOVES)
    assert (kept.external_port, kept.requested_port) == (HELD.external_port, HELD.requested_port)


def test_a_lease_lapses_at_its_end_and_not_before() -> None:
    assert (HELD.expired(699.9), HELD.expired(700.0)) == (False, True)


def test_what_is_not_open_cannot_lapse() -> None:
    assert not NEW.expired(inf)


def test_a_lost_lease_is_shut_and_wants_the_same_port_again() -> None:
    lost = HELD.lost()
    assert (lost.held, lost.requested_port, lost.mapping.lifetime, lost.expires) == (False, 8080, 0, inf)


def test_a_lease_needs_attention_when_it_is_due_or_at_its_end() -> None:
    assert replace(HELD, attempt_at=650.0).wake_at == 650.0
    assert replace(HELD, attempt_at=750.0).wake_at == 700.0


def test_the_open_port_is_told_with_the_requests_name() -> None:
    request = PortRequest(Protocol.UDP, 53, name="dns")
    mapping = Lease.of(request, 0.0).granted(Grant(5353, 600), PUBLIC, 0.0, 0.0).mapping
    assert (mapping.key, mapping.external_port, mapping.name) == (request.key, 5353, "dns")


# what the backend wants back, what needed nothing, and how long to wait


def test_a_token_is_kept_over_failure_and_loss() -> None:
    lease = NEW.granted(Grant(8080, 600, token=NONCE), PUBLIC, now=0.0, spread=0.0)
    assert lease.failed("no", 400.0, 0.0).lost().token == NONCE


def test_a_grant_without_a_token_takes_none_away() -> None:
    lease = Lease.of(PortRequest(Protocol.TCP, 8080), 0.0, token=NONCE)
    assert lease.granted(Grant(8080, 600), PUBLIC, 0.0, 0.0).token == NONCE


def test_what_needed_nothing_never_expires_and_is_asserted_like_a_permanent_mapping() -> None:
    lease = NEW.granted(Grant(8080, 20, static=True), PUBLIC, now=100.0, spread=0.0)
    assert (lease.expires, lease.attempt_at, lease.mapping.lifetime, lease.mapping.static) == (inf, 400.0, 0, True)


def test_what_was_sent_again_is_static_no_more() -> None:
    static = NEW.granted(Grant(8080, 0, static=True), PUBLIC, now=100.0, spread=0.0)
    assert not static.granted(Grant(8080, 600), PUBLIC, now=400.0, spread=0.0).mapping.static


@pytest.mark.parametrize(("retry_after", "wait"), [(0, 1), (0.5, 1), (30, 30), (1e9, 3600), (inf, 3600), (-5, 1)])
def test_a_gateway_is_not_asked_before_it_would_answer_otherwise(retry_after: float, wait: float) -> None:
    assert NEW.failed("no", 0.0, 0.0, retry_after=retry_after).attempt_at == wait


def test_while_the_port_is_open_no_wait_that_the_gateway_names_outlasts_the_lease() -> None:
    assert HELD.failed("no", 400.0, 0.0, retry_after=1e9).attempt_at == 475.0


def test_a_very_short_lease_is_not_renewed_sooner_than_after_four_seconds() -> None:
    assert NEW.granted(Grant(8080, 1), PUBLIC, now=100.0, spread=0.0).attempt_at == 104.0


def test_a_wait_that_is_no_number_is_none() -> None:
    assert NEW.failed("no", 0.0, 0.0, retry_after=float("nan")).attempt_at == 1


def test_an_alert_ends_that_wait_too() -> None:
    assert NEW.failed("no", 0.0, 0.0, retry_after=1800).retry_now(5.0).attempt_at == 5.0


# the application that follows

FOLLOWER = PortRequest(Protocol.TCP, 6881, follow=True)


def test_a_mapping_says_follow_where_both_ports_are_equal() -> None:
    lease = replace(Lease.of(FOLLOWER, 0.0), target_port=40000)
    assert lease.granted(Grant(40000, 60), PUBLIC, 0.0, 0.0).mapping.follow


def test_a_mapping_does_not_say_follow_where_the_ports_differ() -> None:
    lease = Lease.of(FOLLOWER, 0.0).granted(Grant(40000, 60), PUBLIC, 0.0, 0.0)
    assert (lease.ports_agree, lease.mapping.follow) == (False, False)


@pytest.mark.parametrize("nominal", [0, 1])
def test_where_the_internal_port_is_nominal_any_port_fits(nominal: int) -> None:
    lease = Lease.of(PortRequest(Protocol.TCP, nominal, follow=True), 0.0, remembered_port=5)
    assert (lease.requested_port, lease.target_port) == (5, nominal)
    assert lease.granted(Grant(40000, 60), PUBLIC, 0.0, 0.0).mapping.follow


def test_a_port_that_was_followed_once_is_asked_for_inside_and_outside() -> None:
    lease = Lease.of(FOLLOWER, 0.0, remembered_port=40000)
    assert (lease.requested_port, lease.target_port, lease.key) == (40000, 40000, FOLLOWER.key)


# moving


def test_a_mapping_that_moves_is_still_told_as_it_was_and_asked_for_elsewhere_first() -> None:
    moved = HELD.move_to(9000, 8080)
    assert (moved.external_port, moved.requested_port, moved.attempt_at) == (8080, 9000, -inf)
    assert moved.doubt.may_be_gone


def test_its_token_goes_with_it_but_not_to_another_internal_port() -> None:
    lease = replace(HELD, token=NONCE)
    assert (lease.move_to(9000, 8080).token, lease.move_to(9000, 9000).token) == (NONCE, "")


def test_an_alert_lets_it_move_again() -> None:
    assert HELD.keep_as_is(200.0).retry_now(300.0).pair.moves == 0
