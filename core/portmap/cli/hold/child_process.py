"""A program that runs while its ports are held: started with its environment, sent our signals, waited for.

Signals that we get are passed on, but not Ctrl-C: the terminal sends that to the child, too. The child's exit code is
ours, as a shell tells it: 128 and the signal's number where a signal ended it.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from collections.abc import Mapping as Environment
from pathlib import Path

from portmap.cli.signals import SignalListener
from portmap.errors import SpecError
from portmap.host.environment import child_environment

PASSED_ON = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
    if hasattr(signal, name)
)
_FROM_THE_TERMINAL = {getattr(signal, name) for name in ("SIGINT", "SIGQUIT") if hasattr(signal, name)}
_GRACE = 10.0  # seconds from asking a child to end to ending it


def check_program(words: Sequence[str]) -> None:
    """Raise SpecError where there is no such program, or it may not be run: before anything is opened."""
    if not words:
        raise SpecError("no command was given: write it after --, as in portmap run 25565 -- java -jar server.jar")
    if shutil.which(words[0]) is None:
        if os.sep in words[0] and Path(words[0]).is_file():
            raise SpecError(f"{words[0]!r} may not be run: make it a program with chmod +x, or name one that reads it")
        raise SpecError(f"there is no program {words[0]!r}: is it installed, and on the PATH?")


class ChildProcess:
    """The program, from `start` to `wait`. Signals that come before it runs end us, as they would have without it."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = list(words)
        self._process: subprocess.Popen[bytes] | None = None
        self._starting = threading.Lock()
        self._ended_before = threading.Event()
        self._stop: Callable[[], object] = lambda: None
        self._hearing = SignalListener(PASSED_ON, self._heard)

    @property
    def stopped_before_start(self) -> bool:
        """Whether a signal to end came before the child was started."""
        return self._ended_before.is_set()

    def signals(self) -> SignalListener:
        """The context in which signals are passed on."""
        return self._hearing

    def on_stop_before_start(self, stop: Callable[[], object]) -> None:
        """Call this for a signal to end that comes before the program is started; or came already."""
        self._stop = stop
        if self.stopped_before_start:
            stop()

    def start(self, environment: Environment[str, str]) -> bool:
        """Start it with these variables beside our own. False: a signal to end came before.

        Raises SpecError where the system will not run it.
        """
        try:
            with self._starting:  # a signal that comes meanwhile is for the program
                if self.stopped_before_start:
                    return False
                self._process = subprocess.Popen(self._words, env=child_environment(os.environ, environment))  # noqa: S603  # the user's own words
        except OSError as error:
            raise SpecError(f"{self._words[0]!r} cannot be run: {error.strerror}") from error
        return True

    def wait(self, seconds: float | None) -> int:
        """Its exit code; after so many seconds, if any are given, it is asked to end, and in the end made to."""
        assert self._process is not None  # noqa: S101  # `start` comes first
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = self._end(self._process)
        return 128 - code if code < 0 else code

    def _end(self, process: "subprocess.Popen[bytes]") -> int:
        process.terminate()
        try:
            return process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def _heard(self, number: int) -> None:
        with self._starting:
            process = self._process
            if process is None:
                self._ended_before.set()
        if process is None:
            self._stop()
        elif not (number in _FROM_THE_TERMINAL and _in_front_of_the_terminal()):
            process.send_signal(number)


def _in_front_of_the_terminal() -> bool:
    """Whether the terminal, by which such a signal usually comes, has told the child as well."""
    try:
        return os.getpgrp() == os.tcgetpgrp(sys.stdin.fileno())
    except (OSError, ValueError, AttributeError):
        return False
