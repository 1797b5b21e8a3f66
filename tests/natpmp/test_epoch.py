import pytest

from portmap_natpmp.epoch import Epoch


@pytest.mark.parametrize(
    ("elapsed", "newer"),
    [
        (0.0, 1000),  # at once
        (0.0, 998),  # 2 s late is tolerated
        (60.0, 1060),  # in step with us
        (60.0, 1051),  # 7/8 of our pace, and more than expected (1052.5) less 2 s
        (60.0, 2000),  # far ahead: jitter, a wrapped poll, a set clock; never a restart
        (8000.0, 7998),  # 7/8 to the second: expected 8000, less 2 s
        (0.0, 0xFFFFFFFF),  # the largest there is
    ],
)
def test_a_gateway_that_kept_its_state_is_believed(elapsed: float, newer: int) -> None:
    assert Epoch(1000, heard_at=50.0).is_continued_by(Epoch(newer, heard_at=50.0 + elapsed))


@pytest.mark.parametrize(
    ("elapsed", "newer"),
    [
        (0.0, 997),  # more than 2 s back
        (60.0, 0),  # just restarted
        (60.0, 1050),  # expected 1052.5, less 2 s
        (8000.0, 7997),  # a second below
        (8000.0, 5000),  # ahead of the last one, and still too young
    ],
)
def test_a_gateway_younger_than_it_must_be_has_restarted(elapsed: float, newer: int) -> None:
    assert not Epoch(1000, heard_at=50.0).is_continued_by(Epoch(newer, heard_at=50.0 + elapsed))


def test_a_clock_that_stood_still_during_sleep_is_no_restart() -> None:
    assert Epoch(1000, heard_at=50.0).is_continued_by(Epoch(9000, heard_at=51.0))


def test_the_least_to_expect_grows_by_seven_eighths() -> None:
    assert Epoch(1000, heard_at=50.0).expected_at(58.0) == 1007.0
