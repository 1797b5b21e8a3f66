"""The command under test, running in a namespace, its JSON stream read as it comes."""

import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, Any, NamedTuple, Self

from tests.lab.namespace import Namespace

Event = dict[str, Any]
PORTMAP = (sys.executable, "-m", "portmap")


class Exit(NamedTuple):
    """How a command ended: its exit code, and how many seconds it took from being told to."""

    code: int
    seconds: float


class Program:
    """A program in a namespace that tells what happens, one JSON object per line; leaves no process behind."""

    def __init__(self, namespace: Namespace, *words: str) -> None:
        self.events: list[Event] = []
        self._news = threading.Condition()
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  # closed on exit
        self.process = namespace.popen([*words], stdout=subprocess.PIPE, stderr=self._errors)
        assert self.process.stdout
        self._reader = threading.Thread(target=self._read, args=(self.process.stdout,))
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(5)
        self._reader.join()
        self._errors.close()

    def wait_for(self, event: str, *, timeout: float = 20, since: int = 0, **fields: object) -> Event:
        """The first event of that name and with those fields, waiting for it up to `timeout` seconds.

        `since`: not one of the first so many events.
        """
        wanted = {"event": event, **fields}
        with self._news:
            found = self._news.wait_for(lambda: self._find(wanted, since), timeout)
            assert found, f"no {wanted} within {timeout} s\n{self.story()}"
            return found

    def stop(self, signum: int = signal.SIGINT) -> Exit:
        """Send the signal and wait for the end; longer than 10 s is a failure by itself."""
        begun = time.monotonic()
        self.process.send_signal(signum)
        code = self.process.wait(10)
        ended = time.monotonic() - begun
        self._reader.join()
        return Exit(code, ended)

    def story(self) -> str:
        """All that the command has said, for people."""
        self._errors.seek(0)
        events = "\n".join(json.dumps(event) for event in self.events)
        return f"events:\n{events}\nstderr:\n{self._errors.read()}"

    def told(self, event: str) -> list[Event]:
        """All events of that name so far."""
        return [told for told in list(self.events) if told["event"] == event]

    def port(self, protocol: str = "TCP") -> int:
        """The external port of the only mapping of that protocol, as last told; 0 before."""
        ports = [event["external_port"] for event in list(self.events) if _opens(event, protocol)]
        return int(ports[-1]) if ports else 0

    def _find(self, wanted: Event, since: int) -> Event | None:
        return next((event for event in self.events[since:] if wanted.items() <= event.items()), None)

    def _read(self, stdout: IO[str]) -> None:
        with stdout:
            for line in stdout:
                with self._news:
                    self.events.append(json.loads(line))
                    self._news.notify_all()


class Portmap(Program):
    """`portmap --json ARGUMENTS…` in a namespace.

    `state` is its folder to remember ports in; without one it remembers nothing of earlier runs.
    """

    def __init__(self, namespace: Namespace, *arguments: str, state: Path | None = None) -> None:
        super().__init__(namespace, *PORTMAP, "--json", "--state", str(state or "none"), *arguments)


def _opens(event: Event, protocol: str) -> bool:
    return event["event"] in ("mapping.added", "mapping.changed", "mapping.renewed") and event["protocol"] == protocol
