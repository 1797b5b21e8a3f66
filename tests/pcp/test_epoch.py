"""The epoch of a PCP server (RFC 6887 §8.5), and what a change of its answers means. Pure."""

from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.pcp.epochs import FIRST, OTHER, SECOND, SERVER

from portmap.model import Address
from portmap.wire import TimedAnswer
from portmap_pcp.epoch import Epoch
from portmap_pcp.observation import LastObservation, Observation, observation_of, reason_to_alert
from portmap_pcp.packets import Announced, Mapped, NatPmpOnly, No, Refusal

# epochs: RFC 6887 §8.5


def at(seconds: int, heard_at: float, took: float = 0.0) -> Epoch:
    """The epoch of an answer that was `took` seconds under way."""
    return Epoch(seconds, heard_at - took, heard_at)


@pytest.mark.parametrize(
    ("elapsed", "newer"),
    [
        (0.0, 1000),  # at once
        (0.0, 999),  # a second is rounding
        (0.0, 1002),  # ahead by two
        (60.0, 1060),  # in step with us
        (60.0, 1066),  # 66 less a sixteenth is 61.9, within 60 + 2
        (60.0, 1059),  # 1 % of 60 s and the rounding
        (16000.0, 16839),  # 1 % of 16000 s is 160 s, and the rounding
    ],
)
def test_a_server_whose_epoch_keeps_up_is_believed(elapsed: float, newer: int) -> None:
    assert at(1000, 50.0).is_continued_by(at(newer, 50.0 + elapsed))


@pytest.mark.parametrize(
    ("elapsed", "newer"),
    [
        (0.0, 998),  # more than the rounding
        (60.0, 0),  # just restarted
        (60.0, 1058),  # restarted 2 s after our last look, 2 s old then: the RFC's sixteenth hides it
        (60.0, 1067),  # 67 less a sixteenth is 62.8: it runs ahead, as after a restart with an old clock
        (0.0, 1003),
        (16000.0, 16838),
        (8000.0, 5000),  # ahead of the last one, and still too young
    ],
)
def test_any_shortfall_beyond_rounding_and_one_percent_is_doubt(elapsed: float, newer: int) -> None:
    assert not at(1000, 50.0).is_continued_by(at(newer, 50.0 + elapsed))


@pytest.mark.parametrize(
    ("elapsed", "newer", "restarted"),
    [(60.0, 1055, False), (60.0, 1054, True), (60.0, 1066, False), (60.0, 1067, True)],
)
def test_the_rfc_calls_it_restarted_by_a_sixteenth_and_two_seconds(elapsed: float, newer: int, restarted: bool) -> None:
    assert at(1000, 50.0).is_restarted(at(newer, 50.0 + elapsed)) is restarted


@given(
    st.integers(0, 1 << 31),
    st.floats(0, 0.999),
    st.floats(0, 1e7),
    st.floats(-0.005, 1 / 17),
    st.floats(0, 3.75),
    st.floats(0, 1),
)
def test_an_honest_server_is_never_doubted(
    start: int, part: float, elapsed: float, drift: float, took: float, when: float
) -> None:
    newer = at(int(start + part + (elapsed + took * when) * (1 + drift)), 50.0 + elapsed + took, took)
    assert at(start, 50.0).is_continued_by(newer)


def test_a_slow_clock_is_measured_and_then_believed() -> None:
    first, second = at(1000, 0.0), at(1057, 60.0)  # 5 % slow
    assert not first.is_continued_by(second)
    assert second.is_continued_by(at(1114, 120.0), first.pace(second))


def test_the_pace_is_never_below_fifteen_sixteenths_nor_told_by_short_times() -> None:
    assert at(1000, 0.0).pace(at(1001, 60.0)) == 15 / 16
    assert at(1000, 0.0).pace(at(1000, 20.0)) == 1.0


# observations


SEEN = Observation(SERVER, at(5000, 100.0), FIRST)


def later(seconds: float, epoch: int, address: IPv4Address | None = None) -> Observation:
    return Observation(SERVER, at(epoch, 100.0 + seconds), address)


def known_address(last: LastObservation, server: IPv4Address) -> Address | None:
    """The address that this server is known to have granted."""
    seen = last.of(server)
    return seen.external_ip if seen else None


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Announced(5), Observation(SERVER, at(5, 1.0))),
        (Mapped(5, 600, 1, FIRST), Observation(SERVER, at(5, 1.0), FIRST)),
        (Mapped(5, 0, 1, FIRST), Observation(SERVER, at(5, 1.0))),  # a deletion
        (Mapped(5, 600, 1, IPv4Address(0)), Observation(SERVER, at(5, 1.0))),
        (Refusal(5, 2), Observation(SERVER, at(5, 1.0), refused=True)),
        (Refusal(None, 1), None),
        (NatPmpOnly(), None),
    ],
)
def test_an_answer_with_an_epoch_becomes_an_observation(
    answer: Announced | Mapped | No, expected: Observation | None
) -> None:
    assert observation_of(SERVER, TimedAnswer(answer, 1.0, 1.0)) == expected


def test_an_address_lasts_as_long_as_the_servers_state() -> None:
    last = LastObservation()
    last.update(SEEN)
    last.update(later(60, 5060))
    assert known_address(last, SERVER) == FIRST
    last.update(later(120, 0))
    assert known_address(last, SERVER) is None


def test_the_address_that_was_granted_last_counts() -> None:
    last = LastObservation()
    last.update(SEEN)
    last.update(later(60, 5060, SECOND))
    assert known_address(last, SERVER) == SECOND


def test_one_servers_address_is_not_taken_for_anothers() -> None:
    last = LastObservation()
    last.update(SEEN)
    assert known_address(last, OTHER) is None
    last.update(later(60, 5060)._replace(server=OTHER))
    assert known_address(last, OTHER) is None


def test_the_first_observation_is_no_reason_nor_is_a_steady_server() -> None:
    assert reason_to_alert(None, SEEN) == reason_to_alert(SEEN, later(60, 5060)) == ""


def test_a_restart_is_a_reason() -> None:
    assert reason_to_alert(SEEN, later(64, 0)) == "gateway restarted: in 64 s its clock went from 5000 s to 0 s"


def test_a_shortfall_that_the_rfc_tolerates_is_a_doubt() -> None:
    reason = reason_to_alert(SEEN, later(64, 5061))
    assert reason == "gateway may have restarted: in 64 s its clock went from 5000 s to 5061 s"


def test_a_slow_clock_is_doubted_once() -> None:
    last, reasons = LastObservation(), []
    last.update(SEEN)
    for minute in range(1, 60):
        seen = later(60.0 * minute, 5000 + 57 * minute)
        reasons.append(reason_to_alert(last.update(seen), seen))
    assert [bool(reason) for reason in reasons] == [True] + [False] * 58


def test_a_constant_in_the_place_of_a_refusals_epoch_is_no_reason() -> None:
    first, second = (later(60.0 * minute, 0)._replace(refused=True) for minute in (1, 2))
    assert reason_to_alert(first, second) == ""


def test_another_server_is_a_reason() -> None:
    reason = reason_to_alert(SEEN, later(1, 5001)._replace(server=OTHER))
    assert reason == "gateway changed: 192.168.1.254 answers in place of 192.168.1.1"


def test_of_many_threads_that_learn_of_a_restart_one_alerts() -> None:
    last, restarted = LastObservation(), later(10, 0)
    last.update(SEEN)
    with ThreadPoolExecutor(8) as pool:
        before = list(pool.map(last.update, [restarted] * 64))
    assert [bool(reason_to_alert(seen, restarted)) for seen in before].count(True) == 1
