"""Ring 1: how often everything is asked for again. Time is an argument."""

from portmap.loop.debounce import Debounce

FOREVER = float("inf")


def rounds(every: float, seconds: float, *, certain: bool = False) -> list[float]:
    """When rounds are made that change nothing, where a signal comes that often."""
    debounce, made = Debounce(), list[float]()
    for tick in range(int(seconds / every)):
        now = tick * every
        debounce = debounce.signalled(now, certain=certain)
        if debounce.due <= now:
            debounce = debounce.done(now)
            made.append(now)
    return made


def test_the_first_signal_acts_at_once() -> None:
    assert Debounce().signalled(7.0).due <= 7.0


def test_without_a_signal_no_round_is_due() -> None:
    assert Debounce().due == FOREVER


def test_a_signal_soon_after_a_round_waits_for_the_end_of_the_second() -> None:
    assert Debounce().signalled(10.0).done(10.0).signalled(10.1).due == 11.0


def test_after_rounds_that_change_nothing_the_pause_doubles_up_to_a_minute() -> None:
    assert rounds(0.5, 200) == [0, 1, 3, 7, 15, 31, 63, 123, 183]


def test_a_round_that_changed_something_makes_the_pause_a_second_again() -> None:
    debounce = Debounce()
    for now in (0.0, 1.0, 3.0):
        debounce = debounce.signalled(now).done(now)
    assert debounce.signalled(4.0).due == 7.0
    assert debounce.changed().signalled(3.5).due == 4.0


def test_a_certain_signal_never_waits_longer_than_a_second() -> None:
    assert rounds(0.5, 5, certain=True) == [0, 1, 2, 3, 4]


def test_a_certain_signal_brings_a_planned_round_forward() -> None:
    debounce = Debounce(last=100.0, fruitless=6).signalled(101.0)
    assert (debounce.due, debounce.signalled(102.0, certain=True).due) == (132.0, 101.0)


def test_after_a_quiet_minute_the_pause_is_a_second_again() -> None:
    debounce = Debounce(last=100.0, fruitless=6).signalled(160.0).done(160.0)
    assert debounce.signalled(160.5).due == 161.0


def test_a_round_that_no_other_host_can_cause_makes_no_pause_longer() -> None:
    debounce = Debounce().signalled(0.0).done(0.0).signalled(0.1, certain=True).done(1.0)
    assert debounce.signalled(1.5).due == 2.0


def test_a_round_that_another_host_can_have_caused_as_well_makes_the_pause_longer() -> None:
    debounce = Debounce().signalled(0.0).done(0.0).signalled(0.1).signalled(0.2, certain=True).done(1.0)
    assert debounce.signalled(1.5).due == 3.0
