"""Fixtures for all tests: a state folder of its own, pretend distributions, a wait for other threads.

Also how many tests run at once, and what is said about skipped ones.
"""

import gc
import importlib
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from itertools import count as numbers
from pathlib import Path
from typing import Any, Protocol

import pytest
import typer
from tests.examples import judge_no_time

WORKERS_PER_CORE = 3  # most tests wait for something
# Their tests share what takes long to make, so that one process runs them all; any process runs any other test.
ONE_PROCESS = {
    "tests/contract/test_the_suite_itself.py",
    "tests/matrix/test_matrix.py",
    "tests/test_architecture.py",
    "tests/test_packaging.py",
    "tests/test_thirdparty.py",
}


def pytest_configure() -> None:
    """Ctrl-C and a hang-up work in what the tests start, though a shell's `&` or nohup has the tests ignore them."""
    judge_no_time()
    for name in ("SIGINT", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, _ignore)  # unlike SIG_IGN, a function is not handed on to a child


def pytest_collection_finish() -> None:
    """All that was collected lives to the end: the garbage collector need not look at it in every one of its runs."""
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """The number of processes for `pytest -n auto`."""
    return WORKERS_PER_CORE * (os.cpu_count() or 1)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """How `--dist loadscope` hands the tests out."""
    if config.getoption("dist") != "loadscope":
        return None
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415  # without xdist there is no such hook

    scheduling = LoadScopeScheduling(config, log)
    scheduling._split_scope = _one_hand_out
    scheduling._pending_of = _pending_of
    return scheduling


def _ignore(_number: int, _frame: object) -> None:
    """As the shell wanted it."""


def _one_hand_out(nodeid: str) -> str:
    module = nodeid.partition("::")[0]
    return module if module in ONE_PROCESS else nodeid


def _pending_of(workload: dict[str, dict[str, bool]]) -> int:
    """How many tests a worker has yet to run. Scopes that are done are dropped: this is asked after every test."""
    pending = {scope: list(tests.values()).count(False) for scope, tests in workload.items()}
    for scope in [scope for scope, count in pending.items() if not count]:
        del workload[scope]
    return sum(pending.values())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for each reason why tests were skipped: how many, why, what to install."""
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped:
        terminalreporter.section(f"{len(skipped)} skipped")
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    for reason, count in reasons.most_common():
        terminalreporter.line(f"{count:5}  {reason}")


@pytest.fixture(scope="session")
def new_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One name after the other. By `mktemp`, which lists those that are there, each test would wait for it."""
    base = tmp_path_factory.mktemp("tests")
    return (base / str(number) for number in numbers())


@pytest.fixture
def tmp_path(new_folders: Iterator[Path]) -> Path:
    """As pytest's own, and made sooner."""
    folder = next(new_folders)
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture(scope="session", autouse=True)
def command_is_built_once() -> Iterator[None]:
    """Building the command from its declarations takes longer than most runs of it, and tests run it 10,000 times."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.main, "get_command", cache(typer.main.get_command))
        yield


@pytest.fixture(autouse=True)
def state_of_its_own(monkeypatch: pytest.MonkeyPatch, new_folders: Iterator[Path]) -> None:
    """A folder that portmap makes: no test remembers ports where the user's own sessions do, or another test."""
    monkeypatch.setenv("XDG_STATE_HOME", str(next(new_folders)))
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)


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
