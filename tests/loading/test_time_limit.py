import subprocess
import sys
import threading
import time

import pytest

from portmap.errors import PluginError, SpecError
from portmap.loading.time_limit import PluginRaised, call_with_limit


def test_what_the_work_returns_is_returned() -> None:
    assert call_with_limit(lambda: 5, "adding") == 5


@pytest.mark.parametrize("error", [SystemExit("3"), KeyboardInterrupt("3"), ValueError("3"), GeneratorExit("3")])
def test_what_the_work_raises_is_an_error_of_ours(error: BaseException) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(PluginRaised) as caught:
        call_with_limit(fail, "failing")
    assert (caught.value.kind, caught.value.text, caught.value.__cause__) == (type(error).__name__, "3", error)


@pytest.mark.parametrize("error", [SpecError("nonsense"), PluginError("broken")])
def test_errors_of_ours_stay_what_they_are(error: PluginError | SpecError) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(type(error), match=str(error)):
        call_with_limit(fail, "failing")


def test_an_error_whose_text_cannot_be_read_is_one_all_the_same() -> None:
    class Unreadable(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    def fail() -> None:
        raise Unreadable

    with pytest.raises(PluginRaised, match="Unreadable: its text cannot be read") as caught:
        call_with_limit(fail, "failing")
    assert caught.value.__cause__ is None  # a log would try to read it


def test_an_error_whose_text_hangs_is_a_timeout() -> None:
    release = threading.Event()

    class Hanging(Exception):
        def __str__(self) -> str:
            release.wait(30)
            return ""

    def fail() -> None:
        raise Hanging

    with pytest.raises(PluginError, match="failing did not come back"):
        call_with_limit(fail, "failing", seconds=0.01)
    release.set()


def test_work_that_computes_without_end_is_a_timeout() -> None:
    over = threading.Event()

    def compute() -> None:
        while not over.is_set():
            sum(range(1000))

    with pytest.raises(PluginError, match="the import of acme did not come back"):
        call_with_limit(compute, "the import of acme", seconds=0.05)
    over.set()


@pytest.mark.skipif(not hasattr(time, "pthread_getcpuclockid"), reason="this system does not tell a thread's CPU time")
def test_work_that_is_slow_because_the_machine_is_busy_is_waited_for() -> None:
    def slow() -> str:
        for _ in range(10):  # it goes on all the time, with 30 ms between two steps
            time.sleep(0.03)
            sum(range(20_000))
        return "done"

    assert call_with_limit(slow, "slow", seconds=0.1) == "done"


def test_what_takes_too_long_is_named_and_left_behind() -> None:
    release = threading.Event()
    with pytest.raises(PluginError, match=r"the import of acme did not come back within 0\.01 s"):
        call_with_limit(release.wait, "the import of acme", seconds=0.01)
    release.set()


_ENDS_WHILE_WATCHED = """
import threading, time
from portmap.loading import time_limit

threading.stack_size(64 << 20)  # more than glibc keeps of ended threads: their memory is gone at once
time_limit._LOOK = 0.0
real = time_limit._MeasuredThread.cpu_time
def late(watched):  # the thread ends between two looks at it
    for thread in threading.enumerate():
        if thread.name == "brief":
            thread.join()
    others = [threading.Thread(target=time.sleep, args=(0.01,)) for _ in range(8)]
    for other in others:
        other.start()
    for other in others:
        other.join()
    return real(watched)
time_limit._MeasuredThread.cpu_time = late
for _ in range(50):
    time_limit.call_with_limit(lambda: time.sleep(0.002), "brief")
print("still alive")
"""


def test_a_thread_that_ends_while_its_time_is_read_does_not_crash_the_process() -> None:
    # pthread_getcpuclockid of an ended thread is a segmentation fault
    run = subprocess.run([sys.executable, "-c", _ENDS_WHILE_WATCHED], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout.strip()) == (0, "still alive"), run.stderr
