"""Fixtures for all tests: a state folder of its own, pretend distributions, a wait for other threads."""

import importlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest


@pytest.fixture(autouse=True)
def state_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """No test remembers ports where the user's own sessions do, or where another test does."""
    folder = tmp_path_factory.mktemp("state")
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    return folder


class Install(Protocol):
    """Puts a pretend distribution on sys.path: its entry points as text, its modules as sources by name."""

    def __call__(self, name: str, entry_points: str, *, metadata: bool = True, **modules: str) -> Path:
        """The folder that it was put in."""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)
    imported: list[str] = []

    def put(name: str, entry_points: str, *, metadata: bool = True, **modules: str) -> Path:
        info = site / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "entry_points.txt").write_text(entry_points)
        if metadata:
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        for module, source in modules.items():
            (site / f"{module}.py").write_text(source)
            imported.append(module)
        importlib.invalidate_caches()
        return site

    yield put
    for module in imported:
        sys.modules.pop(module, None)


@pytest.fixture
def eventually() -> Callable[[Callable[[], object]], None]:
    """Waits, briefly, until something holds that another thread brings about."""

    def wait(holds: Callable[[], object]) -> None:
        deadline = time.monotonic() + 5
        while not holds():
            assert time.monotonic() < deadline, "it never came to hold"
            time.sleep(0.001)

    return wait
