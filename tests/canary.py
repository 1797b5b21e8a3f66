"""A word that no message may hold, and the ways to mistype a spec that has it."""

import logging
import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from portmap.cli.parser.app import main
from portmap.errors import PortmapError
from portmap.loading import time_limit

CANARY = "cAnArY"
STRUCTURE = ":/@?#=[]%. "
EXTRA = (" ", "\t", "\n", "\0", "\x1b", "é", "/", "@", "#", "?", "%", "[", "]", ":", "'", '"', "\\", ",", ";", "\udcff")
SCHEMES = (
    "ftp:",
    "HTTP:",
    "htp:",
    "socks5:",
    "file:",
    "enr:",
    "exec:",
    "acme:",
    "none:",
    "http:http:",
    "",
    ":",
    "::",
    "//",
)


def mistakes(spec: str) -> Iterator[str]:
    """The spec with one thing wrong, each in turn."""
    yield spec
    for at, character in enumerate(spec):
        if character in STRUCTURE and not spec.startswith(CANARY, at + 1):
            yield spec[:at] + spec[at + 1 :]  # forgotten
        if character in STRUCTURE:
            yield spec[:at] + character + spec[at:]  # twice
            yield spec[:at] + " " + spec[at + 1 :]
    at = spec.index(CANARY)
    for extra in EXTRA:
        yield extra + spec
        yield spec + extra
        yield spec[:at] + extra + spec[at:]
        yield spec[: at + len(CANARY)] + extra + spec[at + len(CANARY) :]
    for scheme in SCHEMES:
        yield scheme + spec
        yield scheme + spec.partition(":")[2]
        yield spec.replace("http:", scheme, 1)
    yield spec.replace(":", "=")
    yield spec.replace(":", ";")
    yield spec.upper().replace(CANARY.upper(), CANARY)


def told_by(act: Callable[[str], object], text: str) -> str:
    """What an act says: the error with its causes, as a traceback shows them after the lines of source."""
    try:
        shown = str(act(text))
    except PortmapError as error:
        return "".join(traceback.format_exception(error, limit=0)) + getattr(error, "text", "")
    return shown


def said_by(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What the command prints, on both streams."""
    with pytest.raises(SystemExit):
        main(words)
    said = capsys.readouterr()
    return said.out + said.err


@contextmanager
def alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In an empty folder, and undisturbed. Plugins' code runs on this thread: 30,000 others would take longer."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(time_limit._MeasuredThread, "start", time_limit._MeasuredThread.run)
    with undisturbed(folder, monkeypatch):
        yield


@contextmanager
def undisturbed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No variable of ours is set, what is remembered goes to the folder, and logging is afterwards as it was."""
    for name in [name for name in os.environ if name.startswith("PORTMAP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    logger = logging.getLogger("portmap")
    before = logger.propagate, logger.level, list(logger.handlers)
    yield
    logger.propagate, logger.level, logger.handlers[:] = before
