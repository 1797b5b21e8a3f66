"""The stopwatch of the tests: what the program takes is counted, what other processes take is not."""

import multiprocessing
import time

from tests.stopwatch import Stopwatch


def _compute(seconds: float) -> None:
    began = time.thread_time()
    while time.thread_time() - began < seconds:
        pass


def test_a_wait_is_counted() -> None:
    with Stopwatch() as watch:
        time.sleep(0.3)
    assert watch.elapsed >= 0.3
    assert watch.seconds > 0.2


def test_the_programs_own_computing_is_counted() -> None:
    with Stopwatch() as watch:
        _compute(0.3)
    assert watch.seconds > 0.2


def test_time_that_other_processes_take_is_not_counted() -> None:
    others = [multiprocessing.Process(target=_compute, args=(5.0,)) for _ in range(2 * multiprocessing.cpu_count())]
    for other in others:
        other.start()
    try:
        with Stopwatch() as watch:
            _compute(0.3)
    finally:
        for other in others:
            other.kill()
            other.join()
    assert watch.withheld > 0.05
    assert watch.seconds < watch.elapsed - 0.05
