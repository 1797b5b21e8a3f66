"""Hostile input, time-boxed: the same inputs at every run. The long run is `make fuzz` (`long.py`)."""

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fuzz import limits
from tests.fuzz.mutations import draw, extremes
from tests.fuzz.targets import TARGETS, Target

every_target = pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
fixed = settings(
    derandomize=True,
    database=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],  # a busy machine, and big inputs
)
SECONDS_A_TARGET = 0.25  # of CPU time
MOST_A_TARGET = 1000  # inputs: on a fast machine no more, on a slow one fewer


@every_target
def test_a_seed_goes_in(target: Target) -> None:
    accepted = [_is_accepted(target, seed) for seed in target.seeds]
    assert any(accepted), "what is made from these seeds gets nowhere"


@every_target
@fixed
@given(random=st.randoms(use_true_random=False))
def test_an_input_is_understood_or_refused_as_promised(target: Target, random: Random) -> None:
    target.try_out(draw(target, random))


@every_target
def test_many_inputs_are_understood_or_refused_as_promised_and_none_takes_long(target: Target) -> None:
    random, spent = Random(target.name), 0.0  # noqa: S311  # nothing secret
    for _ in range(MOST_A_TARGET):
        data = draw(target, random)
        took = limits.cpu_seconds(target, data)
        assert took <= limits.SECONDS, data
        if (spent := spent + took) > SECONDS_A_TARGET:
            break


@every_target
def test_the_largest_inputs_take_neither_long_nor_much_memory(target: Target) -> None:
    costs = {data: limits.cpu_seconds(target, data) for data in extremes(target)}
    slowest = sorted(costs, key=lambda data: costs[data])[-3:]
    assert costs[slowest[-1]] <= limits.SECONDS, slowest[-1]
    assert max(limits.peak_bytes(target, data) for data in slowest) <= limits.BYTES


@fixed
@given(st.sampled_from(TARGETS), st.binary(max_size=300))
def test_noise_is_refused_as_promised(target: Target, data: bytes) -> None:
    target.try_out(data)


def _is_accepted(target: Target, seed: bytes) -> bool:
    try:
        target.feed(seed)
    except target.allowed:
        return False
    return True
