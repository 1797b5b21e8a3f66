"""When a publisher is told what: on scripted time, the moments spelt out."""

from itertools import pairwise
from math import inf

import pytest

from portmap.endpoints import Endpoints
from portmap.publishers.convergence import Convergence, RetrySchedule

A, B, C = (Endpoints(gateway=name) for name in "ABC")
PACE = RetrySchedule(settle=0.1, first=1, last=300, patience=3600)
FRESH = Convergence(PACE)


def failing(times: int, *, at: float = 0.0) -> Convergence:
    plan = FRESH.want(A, at)
    for _ in range(times):
        plan = plan.started().failed(at, 0.0)
    return plan


def played(*changes: tuple[float, Endpoints], works: float = inf, end: float = 3600) -> list[tuple[float, Endpoints]]:
    """Every try of a target that works from second `works` on, while the state changes as told."""
    story, plan, tries, now = list(changes), FRESH, [], 0.0
    while (now := min(plan.due, story[0][0] if story else inf)) < end:
        while story and story[0][0] <= now:
            plan = plan.want(story.pop(0)[1], now)
        if plan.due <= now and plan.wanted is not None:
            tries.append((now, plan.wanted))
            state, begun = plan.wanted, plan.started()
            plan = begun.succeeded(state, now) if now >= works else begun.failed(now, 0.0)
    return tries


def test_nothing_is_due_before_the_first_word() -> None:
    assert FRESH.due == inf
    assert FRESH.want_again(5).due == inf


def test_what_happens_together_is_told_together() -> None:
    assert played((0, A), (0.03, B), (0.06, C), works=0) == [(0.1, C)]


def test_a_change_in_every_moment_does_not_put_off_the_telling() -> None:
    assert FRESH.want(A, 0).want(B, 0.09).due == pytest.approx(0.1)


def test_what_took_is_left_alone() -> None:
    assert FRESH.want(A, 0).started().succeeded(A, 1).due == inf


def test_the_same_state_again_is_no_news() -> None:
    plan = failing(3)
    assert plan.want(A, 2) is plan


def test_a_failure_is_tried_again_ever_less_often() -> None:
    moments = [at for at, _ in played((0, A))]
    gaps = [round(later - earlier) for earlier, later in pairwise(moments)]
    assert gaps[:10] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]
    assert set(gaps[10:]) == {300}


def test_chance_brings_a_try_forward_by_a_quarter_at_the_most() -> None:
    assert FRESH.want(A, 0).started().failed(0, 1.0).due == pytest.approx(0.75)


def test_an_hour_of_failures_ends_with_the_first_try_that_takes() -> None:
    tries = played((0, A), works=2000)
    assert tries[-1][0] <= 2300
    assert [state for at, state in tries if at >= 2000] == [A]


def test_a_new_state_is_tried_at_once_however_long_the_back_off() -> None:
    assert (1000.1, B) in played((0, A), (1000, B))


def test_an_old_state_is_never_replayed() -> None:
    tries = [state for _, state in played((0, A), (1000, B), (1000.01, C), works=2000)]
    assert B not in tries
    assert tries == sorted(tries, key=(A, C).index)


def test_what_was_heard_during_a_try_is_told_next() -> None:
    busy = FRESH.want(A, 0).started().want(B, 1)
    assert busy.succeeded(A, 2).due == pytest.approx(1.1)
    assert busy.failed(2, 0.0).due == pytest.approx(1.1)


def test_back_to_what_took_there_is_nothing_to_tell() -> None:
    assert FRESH.want(A, 0).started().succeeded(A, 0).want(B, 1).want(A, 1.01).due == inf


def test_back_to_what_is_being_told_there_is_nothing_to_tell_either() -> None:
    assert FRESH.want(A, 0).started().want(B, 1).want(A, 1.01).succeeded(A, 2).due == inf


def test_after_a_failure_nobody_knows_what_took() -> None:
    plan = FRESH.want(A, 0).started().succeeded(A, 0).want(B, 1).started().failed(2, 0.0)
    assert plan.want(A, 3).due == pytest.approx(3)


def test_success_forgets_the_back_off() -> None:
    plan = failing(8).started().succeeded(A, 0).want(B, 1).started().failed(10, 0.0)
    assert plan.due == pytest.approx(11)


def test_on_demand_all_of_it_is_done_again_now() -> None:
    plan = FRESH.want(A, 0).started().succeeded(A, 0).want_again(50)
    assert (plan.due, plan.again) == (50, True)
    assert not plan.started().succeeded(A, 51).again


def test_a_reassertion_that_failed_is_still_one_when_it_is_tried_again() -> None:
    assert FRESH.want(A, 0).want_again(1).started().failed(1, 0.0, again=True).again


def test_a_reassertion_asked_for_during_a_try_comes_after_it() -> None:
    plan = FRESH.want(A, 0).started().want_again(1).succeeded(A, 2)
    assert (plan.due, plan.again) == (1, True)


def test_a_publisher_whose_target_forgets_is_told_every_so_often() -> None:
    plan = Convergence(RetrySchedule(every=60)).want(A, 0).started().succeeded(A, 5)
    assert (plan.due, plan.again) == (65, False)


def test_who_asks_for_peace_gets_it_even_from_a_new_state() -> None:
    plan = FRESH.want(A, 0).started().failed(0, 0.0, retry_after=120)
    assert plan.due == 120
    assert plan.want(B, 5).due == 120


def test_peace_has_an_end_whatever_the_target_says() -> None:
    assert FRESH.want(A, 0).started().failed(0, 0.0, retry_after=1e300).due == 3600


def test_a_demand_breaks_the_peace() -> None:
    assert FRESH.want(A, 0).started().failed(0, 0.0, retry_after=120).want_again(7).due <= 7


def test_at_the_end_what_was_never_tried_is_due_at_once() -> None:
    assert FRESH.want(A, 0).closing(0.01).due == 0.01


def test_at_the_end_what_failed_and_what_took_are_left_alone() -> None:
    assert failing(2).closing(0).due == inf
    assert Convergence(RetrySchedule(every=60)).want(A, 0).started().succeeded(A, 0).closing(1).due == inf
