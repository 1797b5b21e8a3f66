"""Which state a publisher is called with, and when: on scripted time, each moment spelt out."""

from itertools import pairwise
from math import inf

import pytest

from portmap.backoff import backoff
from portmap.endpoints import Endpoints
from portmap.publishers.convergence import Convergence, RetrySchedule

A, B, C = (Endpoints(gateway=name) for name in "ABC")
SCHEDULE = RetrySchedule(settle=0.1, first=1, last=300, max_wait=3600, burst=1000)
FRESH = Convergence(SCHEDULE)


def failing(times: int, *, at: float = 0.0) -> Convergence:
    plan = FRESH.want(A, at)
    for _ in range(times):
        plan = plan.started(at).failed(at, 0.0)
    return plan


def published(state: Endpoints = A, *, at: float = 0.0) -> Convergence:
    return FRESH.want(state, at).started(at).succeeded(state, at)


def played(
    *changes: tuple[float, Endpoints], works: float = inf, end: float = 3600, plan: Convergence = FRESH
) -> list[tuple[float, Endpoints]]:
    """Every call of a target that works from second `works` on, while the state changes as told."""
    story, calls, now = list(changes), [], 0.0
    while (now := min(plan.due, story[0][0] if story else inf)) < end:
        while story and story[0][0] <= now:
            plan = plan.want(story.pop(0)[1], now)
        if plan.due <= now and plan.wanted is not None:
            calls.append((now, plan.wanted))
            state, begun = plan.wanted, plan.started(now)
            plan = begun.succeeded(state, now) if now >= works else begun.failed(now, 0.0)
    return calls


def flapping(seconds: int) -> list[tuple[float, Endpoints]]:
    """A gateway that changes its port every second."""
    return [(float(second), Endpoints(gateway=str(second))) for second in range(seconds)]


def test_nothing_is_due_before_the_first_state() -> None:
    assert FRESH.due == inf
    assert FRESH.publish_again(5).due == inf


def test_only_on_demand_all_of_a_state_is_done_again() -> None:
    assert not FRESH.want(A, 0.0).again
    assert FRESH.want(A, 0.0).publish_again(0.0).again


def test_changes_that_come_together_are_published_together() -> None:
    assert played((0, A), (0.03, B), (0.06, C), works=0) == [(0.1, C)]


def test_constant_changes_do_not_postpone_the_call() -> None:
    assert FRESH.want(A, 0).want(B, 0.09).due == pytest.approx(0.1)


def test_a_state_that_succeeded_is_left_alone() -> None:
    assert published().due == inf


def test_the_same_state_again_changes_nothing() -> None:
    plan = failing(3)
    assert plan.want(A, 2) is plan


def test_a_failure_is_tried_again_ever_less_often() -> None:
    moments = [at for at, _ in played((0, A))]
    gaps = [round(later - earlier) for earlier, later in pairwise(moments)]
    assert gaps[:10] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]
    assert set(gaps[10:]) == {300}


def test_the_back_off_has_a_bound_after_any_number_of_failures() -> None:
    assert [backoff(failures, 1.0, 300.0) for failures in (0, 1, 8, 9, 10_000)] == [1, 2, 256, 300, 300]


def test_jitter_brings_a_retry_forward_by_a_quarter_at_most() -> None:
    assert FRESH.want(A, 0).started(0).failed(0, 1.0).due == pytest.approx(0.75)


def test_an_hour_of_failures_ends_with_the_first_call_that_succeeds() -> None:
    calls = played((0, A), works=2000)
    assert calls[-1][0] <= 2300
    assert [state for at, state in calls if at >= 2000] == [A]


def test_a_new_state_waits_for_the_back_off_of_the_failing_one() -> None:
    calls = played((0, A), (1000, B))
    assert 1000.1 not in [at for at, _ in calls]
    assert next(state for at, state in calls if at >= 1000) == B


def test_new_states_do_not_shorten_the_back_off_of_a_dead_target() -> None:
    changing, unchanged = played(*flapping(600), end=600), played((0, A), end=600)
    assert len(changing) == len(unchanged)


def test_an_old_state_is_never_replayed() -> None:
    states = [state for _, state in played((0, A), (1000, B), (1000.01, C), works=2000)]
    assert B not in states
    assert states == sorted(states, key=(A, C).index)


def test_a_state_that_came_during_a_call_is_published_next() -> None:
    busy = FRESH.want(A, 0).started(0).want(B, 1)
    assert busy.succeeded(A, 2).due == pytest.approx(1.1)
    assert busy.failed(2, 0.0).due == pytest.approx(3)


def test_back_to_the_published_state_there_is_nothing_to_do() -> None:
    assert published().want(B, 1).want(A, 1.01).due == inf


def test_back_to_the_state_that_is_being_published_there_is_nothing_to_do() -> None:
    assert FRESH.want(A, 0).started(0).want(B, 1).want(A, 1.01).succeeded(A, 2).due == inf


def test_after_a_failure_the_earlier_state_is_published_again() -> None:
    plan = published().want(B, 1).started(1).failed(2, 0.0)
    assert plan.want(A, 5).due == pytest.approx(3)


def test_success_resets_the_back_off() -> None:
    plan = failing(8).started(0).succeeded(A, 0).want(B, 1).started(1).failed(10, 0.0)
    assert plan.due == pytest.approx(11)


def test_on_demand_all_of_it_is_done_again_now() -> None:
    plan = published().publish_again(50)
    assert (plan.due, plan.again) == (50, True)
    assert not plan.started(50).succeeded(A, 51).again


def test_a_demand_that_failed_is_still_one_at_the_next_try() -> None:
    assert FRESH.want(A, 0).publish_again(1).started(1).failed(1, 0.0, again=True).again


def test_a_demand_during_a_call_comes_after_it() -> None:
    plan = FRESH.want(A, 0).started(0).publish_again(1).succeeded(A, 2)
    assert (plan.due, plan.again) == (1, True)


def test_a_demand_does_not_wait_for_the_back_off() -> None:
    assert failing(8).publish_again(0.5).due == 0.5


def test_a_publisher_with_a_period_is_called_again_after_it() -> None:
    plan = Convergence(RetrySchedule(every=60)).want(A, 0).started(0).succeeded(A, 5)
    assert (plan.due, plan.again) == (65, False)


def test_a_target_that_asks_to_wait_is_not_called_even_with_a_new_state() -> None:
    plan = FRESH.want(A, 0).started(0).failed(0, 0.0, retry_after=120)
    assert plan.due == 120
    assert plan.want(B, 5).due == 120


def test_a_target_cannot_ask_to_wait_for_ever() -> None:
    assert FRESH.want(A, 0).started(0).failed(0, 0.0, retry_after=1e300).due == 3600


def test_a_target_cannot_shorten_the_back_off() -> None:
    assert failing(5).started(0).failed(0, 0.0, retry_after=1).due == 32


def test_a_demand_does_not_wait_as_the_target_asked() -> None:
    assert FRESH.want(A, 0).started(0).failed(0, 0.0, retry_after=120).publish_again(7).due <= 7


def test_at_the_end_a_state_that_was_never_tried_is_due_at_once() -> None:
    assert FRESH.want(A, 0).closing(0.01).due == 0.01
    assert failing(5).want(B, 1).closing(1).due == 1


def test_at_the_end_failed_and_published_states_are_left_alone() -> None:
    assert failing(2).closing(0).due == inf
    assert Convergence(RetrySchedule(every=60)).want(A, 0).started(0).succeeded(A, 0).closing(1).due == inf


# The token bucket ------------------------------------------------------------------------------------------------


def test_by_default_a_failure_is_tried_again_after_a_second_and_then_at_least_every_five_minutes() -> None:
    plan, waits = Convergence().want(A, 0.0), []
    assert plan.due == pytest.approx(0.1)  # what happens together is published together
    for _ in range(12):
        now = plan.due
        plan = plan.started(now).failed(now, 0.0)
        waits.append(plan.due - now)
    assert waits[:4] == pytest.approx([1.0, 2.0, 4.0, 8.0])
    assert waits[-1] == pytest.approx(300.0)


def test_by_default_a_target_can_ask_for_an_hour_of_rest_at_the_most() -> None:
    assert Convergence().want(A, 0.0).started(0.0).failed(0.0, 0.0, retry_after=1e6).due == 3600.0


LIMITED = Convergence(RetrySchedule(settle=0.1))


def test_a_gateway_that_changes_its_port_every_second_causes_no_call_a_second() -> None:
    calls = played(*flapping(600), works=0, end=600, plan=LIMITED)
    first_minute = [at for at, _ in calls if at < 60]
    last_minute = [at for at, _ in calls if at >= 540]
    assert len(first_minute) <= 20
    assert 9 <= len(last_minute) <= 11


def test_a_burst_of_changes_is_published_without_waiting() -> None:
    calls = played(*flapping(10), works=0, end=10, plan=LIMITED)
    assert [at for at, _ in calls] == [pytest.approx(second + 0.1) for second in range(10)]


def test_the_newest_state_is_published_when_a_token_is_there() -> None:
    calls = played(*flapping(60), works=0, end=120, plan=LIMITED)
    assert calls[-1][1] == Endpoints(gateway="59")


def test_the_bucket_is_full_again_after_a_quiet_time() -> None:
    later = [(at + 1000, state) for at, state in flapping(10)]
    calls = played(*flapping(60), *later, works=0, end=1010, plan=LIMITED)
    assert len([at for at, _ in calls if at >= 1000]) == 10


def test_a_demand_and_the_end_do_not_wait_for_a_token() -> None:
    empty = LIMITED.want(A, 0)
    for _ in range(20):
        empty = empty.started(0).succeeded(A, 0)
    assert empty.want(B, 0).due > 10
    assert empty.publish_again(1).due == 1
    assert empty.want(B, 1).closing(1).due == 1
