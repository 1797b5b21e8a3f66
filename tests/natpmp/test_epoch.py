"""Epoch: has a NAT-PMP gateway lost its state? RFC 6886 §3.6."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portmap_natpmp.epoch import Epoch


def at(seconds: int, heard_at: float, took: float = 0.0) -> Epoch:
    """The epoch of an answer that was `took` seconds under way."""
    return Epoch(seconds, heard_at - took, heard_at)


@pytest.mark.parametrize(
    ("elapsed", "newer"),
    [
        (0.0, 1000),  # at once
        (0.0, 999),  # a second is rounding
        (60.0, 1060),  # in step with us
        (60.0, 1059),  # 1 % of 60 s and the rounding
        (60.0, 2000),  # far ahead: a clock that was set; never a restart
        (8000.0, 8919),  # 1 % of 8000 s is 80 s, and the rounding
        (0.0, 0xFFFFFFFF),  # the largest there is
    ],
)
def test_a_gateway_whose_epoch_keeps_up_is_believed(elapsed: float, newer: int) -> None:
    assert not at(1000, 50.0).falls_short(at(newer, 50.0 + elapsed))


@pytest.mark.parametrize(
    ("elapsed", "newer"),
    [
        (0.0, 998),  # more than the rounding
        (60.0, 0),  # just restarted
        (60.0, 1058),  # restarted 2 s after our last look, 2 s old then: RFC 6886's 7/8 hides it
        (60.0, 1053),  # the most that 7/8 hides
        (8000.0, 8918),  # a second below
    ],
)
def test_any_shortfall_beyond_rounding_and_one_percent_is_doubt(elapsed: float, newer: int) -> None:
    assert at(1000, 50.0).falls_short(at(newer, 50.0 + elapsed))


@pytest.mark.parametrize(("elapsed", "newer", "restarted"), [(60.0, 1051, False), (60.0, 1050, True), (0.0, 997, True)])
def test_the_rfc_calls_it_restarted_below_seven_eighths(elapsed: float, newer: int, restarted: bool) -> None:
    assert at(1000, 50.0).is_restarted(at(newer, 50.0 + elapsed)) is restarted


def test_the_time_that_an_answer_was_under_way_is_no_shortfall() -> None:
    assert not at(1000, 50.0).falls_short(at(1000, 53.5, took=3.5))
    assert not at(1000, 53.5, took=3.5).falls_short(at(1000, 53.6))


@given(st.integers(0, 1 << 20), st.floats(0, 0.999), st.floats(0, 1e5), st.floats(-0.005, 0.1), st.floats(0, 3.75))
def test_an_honest_gateway_is_never_doubted(start: int, part: float, elapsed: float, drift: float, took: float) -> None:
    newer = at(int(start + part + elapsed * (1 + drift)), 50.0 + elapsed + took, took)
    assert not at(start, 50.0).falls_short(newer)


def test_a_slow_clock_is_measured_and_then_believed() -> None:
    first, second = at(1000, 0.0), at(1057, 60.0)  # 5 % slow
    assert first.falls_short(second)
    pace = first.pace(second)
    assert pace == pytest.approx(0.95)
    assert not second.falls_short(at(1114, 120.0), pace)


def test_the_pace_is_never_below_seven_eighths_nor_told_by_short_times() -> None:
    assert at(1000, 0.0).pace(at(1001, 60.0)) == 7 / 8
    assert at(1000, 0.0).pace(at(1000, 20.0)) == 1.0
    assert at(1000, 0.0).pace(at(2000, 60.0)) == 1.0
