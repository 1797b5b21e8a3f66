"""Killed without a word: what the next session finds at a gateway where the application had followed its port."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from portmap.model import Protocol
from portmap.storage.journal import from_text
from portmap.testing import Quirks, Router, loopback_address

Session: TypeAlias = "subprocess.Popen[str]"
Run: TypeAlias = Callable[[Router, str], Session]
NEIGHBOURS = Quirks(conflict=frozenset({6881}))  # so that 6882 is followed
MOVED = {(protocol, 6882, 6882) for protocol in Protocol}
START = (sys.executable, "-m", "portmap")


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """`run(router, mapping)` starts a session as a user would; all of a test's have one memory."""
    started: list[Session] = []

    def run(router: Router, mapping: str) -> Session:
        words = ("--nat", f"pmp:{router.address}", "--state", str(tmp_path), mapping)
        started.append(subprocess.Popen([*START, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield run
    for session in started:
        session.kill()
        session.communicate()


def wait_until(met: Callable[[], object], session: Session) -> None:
    deadline = time.monotonic() + 10
    while not met():
        assert time.monotonic() < deadline
        assert session.poll() is None
        time.sleep(0.01)


def end(session: Session, number: signal.Signals) -> None:
    session.send_signal(number)
    session.communicate(timeout=10)


def held(router: Router) -> set[tuple[Protocol, int, int]]:
    """Each mapping with its external and its internal port."""
    return {(entry.protocol, entry.external_port, entry.internal_port) for entry in router.entries}


def noted(state: Path) -> set[tuple[Protocol, int, int]]:
    """Each mapping of the journals with its external and its internal port."""
    entries = [entry for file in state.glob("*.json") for entry in from_text(file.read_text()).entries]
    return {(entry.protocol, entry.external_port, entry.target_port) for entry in entries}


def kill_a_follower(router: Router, run: Run, state: Path) -> None:
    """A session holds `6881=follow/both`, has noted it, and is killed."""
    session = run(router, "6881=follow/both")
    if router.quirks == NEIGHBOURS:
        wait_until(lambda: noted(state) == held(router) == MOVED, session)
    else:
        assert session.stdout
        assert any("no common port" in line for line in session.stdout), "it ended before both had their last ports"
        wait_until(lambda: noted(state) == held(router), session)
        assert len(router.entries) == 2
    end(session, signal.SIGKILL)
    assert router.entries


@pytest.mark.parametrize("quirks", [NEIGHBOURS, Quirks(other_port=True)])
def test_the_next_start_leaves_nothing_of_it_behind(quirks: Quirks, run: Run, tmp_path: Path) -> None:
    with Router(loopback_address(), upnp=False, uptime=100.0, quirks=quirks) as router:
        kill_a_follower(router, run, tmp_path)
        session = run(router, "4001/tcp")
        wait_until(lambda: [entry.internal_port for entry in router.entries] == [4001], session)
        end(session, signal.SIGINT)
        assert router.entries == ()


def test_a_mapping_that_follows_again_keeps_its_port(run: Run, tmp_path: Path) -> None:
    with Router(loopback_address(), upnp=False, uptime=100.0, quirks=NEIGHBOURS) as router:
        kill_a_follower(router, run, tmp_path)
        assert held(router) == MOVED
        asked, deleted = router.heard.map, router.heard.unmap
        session = run(router, "6881=follow/both")
        wait_until(lambda: router.heard.map == asked + 2, session)
        assert (held(router), router.heard.unmap) == (MOVED, deleted)
        end(session, signal.SIGINT)
        assert router.entries == ()


def test_a_mapping_that_no_longer_follows_has_its_own_ports_and_nothing_else(run: Run, tmp_path: Path) -> None:
    with Router(loopback_address(), upnp=False, uptime=100.0, quirks=NEIGHBOURS) as router:
        kill_a_follower(router, run, tmp_path)
        session = run(router, "6881/both")
        wait_until(lambda: {inner for _, _, inner in held(router)} == {6881}, session)
        end(session, signal.SIGINT)
        assert router.entries == ()
