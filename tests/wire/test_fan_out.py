import threading
import time
from ipaddress import IPv4Address

import pytest
from tests.stopwatch import Stopwatch

from portmap.errors import GatewayTimeout, NoGateway, NotAuthorized
from portmap.wire import FanOut, first_good

HOME, OTHER = IPv4Address("192.168.1.1"), IPv4Address("10.0.0.1")


def test_a_silent_candidate_costs_no_more_than_the_grace() -> None:
    forever = threading.Event()

    def ask(candidate: IPv4Address) -> str:
        if candidate == HOME:
            forever.wait(5)
        return f"from {candidate}"

    assert first_good([HOME, OTHER], ask, speaks="NAT-PMP", grace=0.05) == (OTHER, "from 10.0.0.1")
    forever.set()


def test_a_better_candidate_may_answer_later_within_the_grace() -> None:
    other_answered = threading.Event()

    def ask(candidate: IPv4Address) -> str:
        if candidate == HOME:
            other_answered.wait(5)
        else:
            other_answered.set()
        return f"from {candidate}"

    assert first_good([HOME, OTHER], ask, speaks="NAT-PMP", grace=5.0) == (HOME, "from 192.168.1.1")


def test_the_best_candidate_is_waited_for_no_longer_than_it_takes() -> None:
    forever = threading.Event()

    def ask(candidate: IPv4Address) -> str:
        if candidate == OTHER:
            forever.wait(5)
        return f"from {candidate}"

    with Stopwatch() as watch:
        assert first_good([HOME, OTHER], ask, speaks="NAT-PMP", grace=5.0) == (HOME, "from 192.168.1.1")
    assert watch.seconds < 1.0
    forever.set()


def test_a_better_candidate_that_fails_ends_the_grace() -> None:
    def ask(candidate: IPv4Address) -> str:
        if candidate == HOME:
            raise GatewayTimeout("silent")
        return "here"

    with Stopwatch() as watch:
        assert first_good([HOME, OTHER], ask, speaks="NAT-PMP", grace=5.0) == (OTHER, "here")
    assert watch.seconds < 1.0


def test_outcomes_come_until_the_time_is_over() -> None:
    forever = threading.Event()

    def ask(candidate: IPv4Address) -> str:
        if candidate == HOME:
            forever.wait(5)
        return "here"

    fan_out = FanOut([HOME, OTHER], ask, "NAT-PMP", until=time.monotonic() + 0.05)
    assert list(fan_out) == [(OTHER, "here")]
    assert fan_out.busy == {HOME}
    forever.set()


def test_a_candidate_whose_outcome_is_handed_out_is_not_busy_although_its_thread_may_live_for_a_moment() -> None:
    for _ in range(200):
        fan_out = FanOut([HOME], str, "NAT-PMP")
        assert [candidate in fan_out.busy for candidate, _ in fan_out] == [False]


def test_a_failure_does_not_end_the_race() -> None:
    def ask(candidate: IPv4Address) -> str:
        if candidate == HOME:
            raise GatewayTimeout("silent")
        return "here"

    assert first_good([HOME, OTHER], ask, speaks="NAT-PMP") == (OTHER, "here")


def test_without_an_answer_every_asked_peer_is_named() -> None:
    def ask(candidate: IPv4Address) -> str:
        raise GatewayTimeout(f"silence from {candidate}")

    with pytest.raises(NoGateway, match=r"no NAT-PMP gateway found: .*silence from") as caught:
        first_good([HOME, OTHER], ask, speaks="NAT-PMP")
    assert str(HOME) in str(caught.value)
    assert str(OTHER) in str(caught.value)


def test_a_refusal_tells_more_than_silence() -> None:
    def ask(candidate: IPv4Address) -> str:
        raise NotAuthorized("off", code=2) if candidate == HOME else GatewayTimeout("silent")

    with pytest.raises(NotAuthorized, match="off"):
        first_good([HOME, OTHER], ask, speaks="NAT-PMP")


def test_an_empty_list_is_no_gateway_and_says_what_to_write() -> None:
    with pytest.raises(NoGateway, match=r"pmp:192\.168\.1\.1"):
        first_good([], str, speaks="NAT-PMP")


def test_a_bug_on_one_thread_is_raised_where_it_is_seen() -> None:
    def ask(candidate: IPv4Address) -> str:
        raise RuntimeError(candidate)

    with pytest.raises(RuntimeError, match=str(HOME)):
        first_good([HOME], ask, speaks="NAT-PMP")
