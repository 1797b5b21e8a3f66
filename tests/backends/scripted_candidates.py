"""Candidates of a race that the tests share."""

import threading
import time
from collections.abc import Callable

from portmap.backends.any.candidates import Candidate as Entrant
from portmap.backends.any.race import Race
from portmap.backends.nat import Nat
from portmap.testing.scripted import ScriptedBackend

LONG = 5.0  # seconds, that no test here waits out
SOON = 0.1


class Runner(ScriptedBackend):
    """Answers after a while, or when released, or with an error."""

    def __init__(
        self, address: str, *, delay: float = 0.0, error: Exception | None = None, gate: threading.Event | None = None
    ) -> None:
        super().__init__()
        self.address = address
        self.moves(0, address)
        self.delay, self.error, self.gate = delay, error, gate
        self.called = threading.Event()

    def __str__(self) -> str:
        return f"gateway {self.address}"

    def _hear(self, hook: str, *arguments: object) -> None:
        super()._hear(hook, *arguments)
        self.called.set()
        time.sleep(self.delay)
        if self.gate is not None:
            self.gate.wait(LONG)
        if self.error is not None:
            raise self.error


def race(*runners: Runner, timeout: float = LONG) -> Race:
    return Race(lambda: [Nat(runner, str(runner)) for runner in runners], timeout)


def ranked(*runners: Runner) -> Race:
    """The last one is preferred to all, and so on."""
    return Race(lambda: [Entrant.of(Nat(runner, str(runner)), rank) for rank, runner in enumerate(runners)], LONG)


class Loading(Entrant):
    """One that is loaded beside the race, by `judge`."""

    def __init__(self, name: str, judge: Callable[[], Nat | None]) -> None:
        super().__init__(name)
        self.load = judge  # type: ignore[method-assign]  # each has its own
