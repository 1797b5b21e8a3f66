"""How often an announcement that nothing proves leads to an alert, or to a question to the gateway."""

from collections.abc import Iterable
from itertools import pairwise

from portmap.wire import AlertBudget


def alerts(budget: AlertBudget, times: Iterable[float]) -> list[float]:
    """When an announcement that nothing proves leads to an alert."""
    told = []
    for now in times:
        if budget.allows(now):
            budget.alerted(now, proven=False)
            told.append(now)
    return told


def test_forged_announcements_count_ten_times_at_once_and_then_once_a_minute() -> None:
    told = alerts(AlertBudget(), (100.0 + second for second in range(3600)))
    assert told[:10] == [100.0 + second for second in range(10)]
    assert 59 <= len(told[10:]) <= 60
    assert all(after - before >= 59 for before, after in pairwise(told[10:]))


def test_a_flood_of_forged_announcements_counts_once_a_second_at_the_most() -> None:
    assert alerts(AlertBudget(), (100.0 + tick / 100 for tick in range(250))) == [100.0, 101.0, 102.0]


def test_an_announcement_right_after_an_alert_for_another_reason_does_not_count() -> None:
    budget = AlertBudget()
    budget.alerted(100.0)
    assert alerts(budget, [100.0, 100.5, 101.0]) == [101.0]


def questions(budget: AlertBudget, begin: float, seconds: float) -> list[float]:
    """When a gateway is asked during a flood of announcements that nothing proves."""
    asked, now = [], begin
    while now < begin + seconds:
        asked.append(now)
        alerts(budget, [now])
        now += budget.rest(now)
    return asked


def test_a_flood_of_forged_announcements_has_the_gateway_asked_ever_less_often_down_to_once_a_minute() -> None:
    pauses = [after - before for before, after in pairwise(questions(AlertBudget(), 100.0, 3600.0))]
    assert pauses[:10] == [1.0] * 10  # those that count
    assert pauses[10:15] == [2.0, 4.0, 8.0, 16.0, 32.0]
    assert all(32.0 <= pause <= 60.0 for pause in pauses[15:])
    assert pauses[20:] == [60.0] * len(pauses[20:])


def test_an_announcement_two_minutes_after_a_flood_is_asked_about_as_if_there_had_been_none() -> None:
    budget = AlertBudget()
    questions(budget, 100.0, 600.0)
    assert budget.rest(850.0) == 1.0


def test_a_restart_that_the_gateway_confirmed_is_announced_ten_times_and_makes_no_question_come_later() -> None:
    budget = AlertBudget()
    questions(budget, 100.0, 20.0)
    budget.alerted(900.0)
    assert [pause for pause in questions(budget, 901.0, 120.0) if budget.rest(pause) != 1.0] == []
    assert budget.rest(1021.0) == 1.0
