from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address

import pytest

from portmap.errors import Garbled
from portmap.wire import TimedAnswer
from portmap_natpmp.announcement import ANNOUNCED_AT, read_announcement
from portmap_natpmp.epoch import Epoch
from portmap_natpmp.observation import (
    LastObservation,
    Observation,
    observation_of,
    reason_to_alert,
    reason_when_announced,
)
from portmap_natpmp.packets import AddressAnswer, Answer, MappingAnswer, Refusal

PCP = "02 80 00 00 00000000 00000003" + "00" * 12  # as miniupnpd 2.3.1 sends it when it starts
PMP = "00 80 0000 00000003 0b162101"  # as it sends it when its address changes

GATEWAY, OTHER = IPv4Address("192.168.1.1"), IPv4Address("192.168.1.254")
FIRST, SECOND = IPv4Address("203.0.113.7"), IPv4Address("203.0.113.8")
SEEN = Observation(GATEWAY, Epoch(5000, 100.0, 100.0), FIRST)


def later(seconds: float, epoch: int, address: IPv4Address | None = FIRST) -> Observation:
    """What the gateway of SEEN says so many seconds later."""
    return Observation(GATEWAY, Epoch(epoch, 100.0 + seconds, 100.0 + seconds), address)


# reading


def test_it_is_listened_for_where_the_rfc_and_where_old_drafts_say() -> None:
    assert ANNOUNCED_AT == (("224.0.0.1", 5350), ("224.0.0.1", 5351))


@pytest.mark.parametrize("announcement", [PMP, PCP, PCP + "7f 00 0000"], ids=["NAT-PMP", "PCP", "PCP with an option"])
def test_an_announcement_tells_the_epoch(announcement: str) -> None:
    assert read_announcement(bytes.fromhex(announcement)) == 3


@pytest.mark.parametrize(
    "datagram",
    [
        "",
        "00",
        "00 00",  # a question
        "00 80 0000 00000003",  # cut off
        "00 80 0003 00000003 00000000",  # a refusal
        "00 80 0001 00000003 00000000",  # a refusal of our version
        "00 81 0000 00000003 765f 765f 00000258",  # a mapping
        "01 80 0000 00000003 0b162101",  # version 1, which never was
        "ff" * 64,
        "02",
        "02 80 00 00 00000000 00000003",  # cut off
        "02 00 00 00 00000000" + "00" * 16,  # a client's question
        "02 81 00 00 00000258 00000003" + "00" * 48,  # a mapping
        "02 80 00 01 00000000 00000003" + "00" * 12,  # a refusal
    ],
)
def test_anything_else_is_no_announcement(datagram: str) -> None:
    with pytest.raises(Garbled):
        read_announcement(bytes.fromhex(datagram))


# observations


def timed(answer: AddressAnswer | MappingAnswer | Refusal, at: float) -> TimedAnswer[Answer | Refusal]:
    return TimedAnswer(answer, at, at)


def test_an_answer_becomes_an_observation() -> None:
    assert observation_of(GATEWAY, timed(AddressAnswer(5000, FIRST), 100.0)) == SEEN


@pytest.mark.parametrize("answer", [MappingAnswer(5, 30303, 600), Refusal(5, 3), AddressAnswer(5, IPv4Address(0))])
def test_an_answer_without_an_address_states_none(answer: AddressAnswer | MappingAnswer | Refusal) -> None:
    refused = isinstance(answer, Refusal)
    assert observation_of(GATEWAY, timed(answer, 1.0)) == Observation(GATEWAY, Epoch(5, 1.0, 1.0), refused=refused)


def test_an_answer_without_an_epoch_is_no_observation() -> None:
    assert observation_of(GATEWAY, timed(Refusal(None, 1), 1.0)) is None


def test_the_memory_shows_what_was_before() -> None:
    memory = LastObservation()
    assert memory.update(SEEN) is None
    assert memory.update(later(1, 5001)) == SEEN
    assert memory.of(GATEWAY) == later(1, 5001)._replace(since=SEEN.epoch)
    assert memory.of(OTHER) is None


def test_the_memory_keeps_the_address_through_answers_that_state_none() -> None:
    memory = LastObservation()
    memory.update(SEEN)
    memory.update(later(1, 5001, None))
    assert memory.update(later(2, 5002, SECOND)) == later(1, 5001, FIRST)._replace(since=SEEN.epoch)


def test_one_gateways_address_is_not_taken_for_anothers() -> None:
    memory, other_host = LastObservation(), Observation(OTHER, Epoch(5, 101.0, 101.0))
    memory.update(SEEN)
    memory.update(other_host)
    assert memory.update(SEEN) == other_host


def test_of_many_threads_that_learn_of_a_restart_one_alerts() -> None:
    memory, restarted = LastObservation(), later(10, 0)
    memory.update(SEEN)
    with ThreadPoolExecutor(8) as pool:
        before = list(pool.map(memory.update, [restarted] * 64))
    assert [bool(reason_to_alert(sight, restarted)) for sight in before].count(True) == 1


# reasons


def test_the_first_sighting_is_no_reason() -> None:
    assert reason_to_alert(None, SEEN) == reason_when_announced(None, SEEN) == ""


def test_a_steady_gateway_is_no_reason() -> None:
    assert reason_to_alert(SEEN, later(60, 5060)) == reason_when_announced(SEEN, later(60, 5060)) == ""


def test_a_restart_is_a_reason_however_it_was_learnt() -> None:
    reason = "gateway restarted: its clock went from 5064 s to 0 s"
    assert reason_to_alert(SEEN, later(64, 0)) == reason_when_announced(SEEN, later(64, 0)) == reason


def test_another_gateway_is_a_reason() -> None:
    assert "gateway changed" in reason_when_announced(SEEN, SEEN._replace(gateway=OTHER, external_ip=SECOND))


def test_an_announced_address_is_a_reason_by_itself() -> None:
    reason = reason_when_announced(SEEN, later(60, 5060, SECOND))
    assert reason == "external address announced: 203.0.113.7 -> 203.0.113.8"


def test_an_announced_address_says_more_than_the_epoch_that_was_reset_for_it() -> None:
    assert "announced" in reason_when_announced(SEEN, later(60, 0, SECOND))


def test_an_address_that_is_gone_or_was_not_known_is_no_reason() -> None:
    assert reason_when_announced(SEEN, later(60, 5060, None)) == ""
    assert reason_when_announced(SEEN._replace(external_ip=None), later(60, 5060, SECOND)) == ""


def test_an_address_that_came_with_an_ordinary_answer_is_the_cores_to_notice() -> None:
    assert reason_to_alert(SEEN, later(60, 5060, SECOND)) == ""


@pytest.mark.parametrize(("seconds", "epoch"), [(0.0, 4998), (60, 5058), (600, 5592)])
def test_a_shortfall_that_the_rfc_tolerates_is_a_doubt(seconds: float, epoch: int) -> None:
    assert reason_to_alert(SEEN, later(seconds, epoch)).startswith("gateway may have restarted: its clock shows")


def test_a_slow_clock_is_doubted_once() -> None:
    memory, seen = LastObservation(), SEEN
    reasons = []
    memory.update(SEEN)
    for minute in range(1, 60):
        seen = later(60.0 * minute, 5000 + 57 * minute)
        reasons.append(reason_to_alert(memory.update(seen), seen))
    assert [bool(reason) for reason in reasons] == [True] + [False] * 58


def test_a_constant_in_the_place_of_a_refusals_epoch_is_no_reason() -> None:
    first, second = (later(60.0 * minute, 0)._replace(refused=True) for minute in (1, 2))
    assert reason_to_alert(first, second) == ""


@pytest.mark.parametrize(
    ("seconds", "epoch"), [(0.0, 5000), (0.0, 4999), (0.99, 5000), (1.2, 5001), (8.0, 5007), (60.0, 5059)]
)
def test_a_whole_number_of_seconds_that_lags_by_less_than_one_is_no_reason(seconds: float, epoch: int) -> None:
    assert reason_when_announced(SEEN, later(seconds, epoch)) == ""
