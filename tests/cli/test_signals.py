import os
import signal
import subprocess
import sys
import threading

from portmap.cli.signals import StopSignals


def test_a_signal_is_heard_while_the_main_thread_is_blocked() -> None:
    heard = threading.Event()
    with StopSignals(heard.set):
        os.kill(os.getpid(), signal.SIGTERM)
        assert heard.wait(5)


def test_afterwards_signals_mean_what_they_meant_before() -> None:
    before = signal.getsignal(signal.SIGINT)
    with StopSignals(lambda: None):
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def twice(seconds: float) -> int:
    """The exit code of a process that gets SIGTERM twice, so many seconds apart, and ends with 7 by itself."""
    script = (
        "import os, signal, threading, time; from portmap.cli.signals import StopSignals\n"
        "over, stop = threading.Event(), lambda: os.kill(os.getpid(), signal.SIGTERM)\n"
        f"with StopSignals(stop, clock=iter([0.0, {seconds}]).__next__):\n"
        "    stop(); over.wait(1); os._exit(7)"
    )
    return subprocess.run([sys.executable, "-c", script], check=False, timeout=10).returncode


def test_a_second_signal_ends_the_process_at_once() -> None:
    assert twice(1.0) == 128 + signal.SIGTERM


def test_a_signal_that_a_wrapper_sends_twice_is_one() -> None:  # timeout(1): to its child, then to its process group
    assert twice(0.1) == 7
