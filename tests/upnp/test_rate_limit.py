import pytest

from portmap_upnp.mapping.rate_limit import RateLimiter


class Clock:
    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 3))
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def steps(clock: Clock, pace: RateLimiter, number: int, each: float = 0.01) -> None:
    for _ in range(number):
        pace.before_call()
        clock.now += each
        pace.after_call()


def test_a_first_burst_is_not_held_up(clock: Clock) -> None:
    steps(clock, RateLimiter(0.2, 5, lambda: clock.now, clock.sleep), 5)
    assert clock.slept == []


def test_after_each_burst_there_is_a_pause(clock: Clock) -> None:
    steps(clock, RateLimiter(0.2, 5, lambda: clock.now, clock.sleep), 16)
    assert clock.slept == [0.2, 0.2, 0.2]


def test_a_pause_that_came_by_itself_counts(clock: Clock) -> None:
    pace = RateLimiter(0.2, 5, lambda: clock.now, clock.sleep)
    for _ in range(3):
        steps(clock, pace, 5)
        clock.now += 0.2
    assert clock.slept == []


def test_what_of_the_pause_has_passed_is_not_waited_for(clock: Clock) -> None:
    pace = RateLimiter(0.2, 5, lambda: clock.now, clock.sleep)
    steps(clock, pace, 5)
    clock.now += 0.15
    steps(clock, pace, 1)
    assert clock.slept == [0.05]


def test_no_pace_is_no_pause(clock: Clock) -> None:
    steps(clock, RateLimiter(0, 5, lambda: clock.now, clock.sleep), 50)
    assert clock.slept == []
