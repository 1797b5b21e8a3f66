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


def test_a_second_signal_ends_the_process_at_once() -> None:
    script = (
        "import os, signal, threading; from portmap.cli.signals import StopSignals\n"
        "with StopSignals(lambda: os.kill(os.getpid(), signal.SIGINT)):\n"
        "    os.kill(os.getpid(), signal.SIGINT); threading.Event().wait(20)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=10).returncode == 128 + signal.SIGINT
