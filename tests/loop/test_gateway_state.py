"""Ring 1: what we know of the gateway."""

from ipaddress import IPv4Address

from portmap.loop.gateway_state import GatewayState

PUBLIC = IPv4Address("1.2.3.4")
KIND = "Refused 3"
UNKNOWN = GatewayState(check_due=0.0)
THERE = UNKNOWN.answered().address_reported(PUBLIC, 0.0, 60.0)


def silences(presence: GatewayState, *, of: int, interval: float = 60.0, spread: float = 0.0) -> list[float]:
    """The waits after so many silent checks in a row."""
    waits = []
    for _ in range(of):
        now = presence.check_due
        presence = presence.unreachable("silence", now, spread, interval)
        waits.append(presence.check_due - now)
    return waits


def test_before_the_first_word_nothing_is_known() -> None:
    assert (UNKNOWN.reachable, UNKNOWN.address) == (None, None)


def test_an_answer_says_that_the_gateway_is_there() -> None:
    assert UNKNOWN.answered().reachable is True


def test_a_stated_address_is_asked_for_again_when_due() -> None:
    assert (THERE.address, THERE.check_due) == (PUBLIC, 60.0)


def test_silence_never_changes_the_address() -> None:
    lost = THERE.unreachable("silence", 60.0, 0.0, 60.0)
    assert (lost.reachable, lost.address, lost.reason) == (False, PUBLIC, "silence")


def test_a_refusal_never_changes_the_address_and_is_no_reason_for_haste() -> None:
    declined = THERE.address_refused("no uplink", KIND, 60.0, 60.0)
    assert (declined.address, declined.check_due, declined.reason) == (PUBLIC, 120.0, "no uplink")


def test_silence_is_answered_with_a_doubling_back_off_up_to_the_interval() -> None:
    assert silences(UNKNOWN, of=8) == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_short_interval_is_never_exceeded_even_by_chance() -> None:
    assert silences(UNKNOWN, of=3, interval=2.0, spread=1.0) == [1.25, 2.0, 2.0]


def test_an_answer_ends_the_back_off() -> None:
    assert silences(THERE.unreachable("silence", 0.0, 0.0, 60.0).answered(), of=1) == [1]


def test_an_address_ends_the_reason() -> None:
    assert THERE.address_refused("no uplink", KIND, 60.0, 60.0).address_reported(PUBLIC, 120.0, 60.0).reason == ""


def test_at_once_means_now() -> None:
    assert THERE.check_now(7.0).check_due == 7.0


def test_address_and_mapping_are_checked_in_turn_an_interval_apart() -> None:
    checked = THERE.mapping_checked(60.0, 60.0)
    assert (THERE.mapping_next, checked.mapping_next, checked.check_due) == (True, False, 120.0)
    assert THERE.mapping_checked(60.0, 30.0).check_due == 90.0


def test_the_address_is_checked_after_two_intervals_at_the_latest() -> None:
    assert THERE.address_due == 120.0
    assert THERE.mapping_checked(100.0, 60.0).check_due == 120.0
    assert THERE.mapping_answered(59.0, 60.0).mapping_answered(100.0, 60.0).check_due == 120.0


def test_an_answer_to_a_mapping_counts_as_its_check_unless_one_is_due_already() -> None:
    answered = THERE.mapping_answered(30.0, 60.0)
    assert (answered.mapping_next, answered.check_due) == (False, 90.0)
    assert THERE.mapping_answered(60.0, 60.0) == THERE


def test_an_answer_to_a_mapping_hurries_no_check_of_a_gateway_that_is_lost() -> None:
    lost = THERE.unreachable("silence", 60.0, 0.0, 60.0)
    assert lost.mapping_answered(60.5, 60.0) == lost
    assert UNKNOWN.mapping_answered(0.0, 60.0) == UNKNOWN
