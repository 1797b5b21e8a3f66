"""Runs the command in the tests."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

import pytest

RAISES = """
from portmap import Kind, errors, hookimpl

class Acme:
    kind = Kind.LOOP
    def __init__(self, name):
        self.error = getattr(errors, name)
    @classmethod
    def from_argument(cls, argument):
        return cls(argument)
    @hookimpl
    def external_ip(self):
        raise self.error("what happened, and what to try")
    @hookimpl
    def add_mapping(self):
        raise self.error("what happened, and what to try")
    @hookimpl
    def delete_mapping(self):
        pass
"""
ACME = "[portmap.backends]\nacme = acme_nat:Acme\n"


class Install(Protocol):
    """The fixture `install` of conftest.py."""

    def __call__(self, name: str, entry_points: str, *, metadata: bool = True, **modules: str) -> Path:
        """Put a pretend distribution on sys.path; the folder."""


class Ran(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


class Held:
    """A running `portmap`, read line by line."""

    def __init__(self, *words: str, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "portmap", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | environment,
        )

    def line(self, word: str) -> str:
        """The next line with this word in it."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if word in line:
                return line
        pytest.fail(f"no line says {word!r}: {self.end()}")

    def end(self, number: signal.Signals | None = None) -> Ran:
        """Send it a signal, if one is given, and wait for its end."""
        if number is not None:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=10)
        return Ran(self.process.returncode, out, err)


Hold = Callable[..., Held]
