"""Ctrl-C at every moment of a command's life: no traceback, the documented code, and nothing is left at the gateway.

A moment may be one before Python has come to our first line; what Python says then is its own.
"""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from portmap.testing import Router, loopback_address

MOMENTS = (0, 10, 20, 40, 60, 80, 100, 120, 150, 180, 220, 260, 300, 350, 400)  # milliseconds after the start
SWALLOWED = "Exception ignored in: <function _get_module_lock"  # importlib drops an interrupt, and maybe keeps a lock
INTERRUPTED = {130, -signal.SIGINT}  # a shell tells the second as the first
OURS = re.compile(
    r'core/portmap/(?!__init__|__main__|cli/__init__).*?\.py|cli/__init__\.py", line \d+, in main\b'
)  # a frame after the first line
RANGE = "8000-8009"  # from 1024 on: the simulator of an ordinary user cannot listen on lower ports
PROGRAM = [sys.executable, "-c", "import time; time.sleep(9)"]


class Ended(NamedTuple):
    """How it ended, and what was left at its gateway."""

    moment: int
    code: int
    out: str
    err: str
    left: int
    again: bool


@pytest.fixture
def interrupted(tmp_path: Path) -> Iterator[Callable[..., list[Ended]]]:
    """Runs a command once for each moment, against a router of its own."""
    with ThreadPoolExecutor(3) as pool:

        def run(*words: str) -> list[Ended]:
            return list(pool.map(lambda moment: interrupt(moment, words, tmp_path / str(moment)), MOMENTS))

        yield run


def interrupt(moment: int, words: tuple[str, ...], state: Path) -> Ended:
    with Router(loopback_address()) as router:
        filled = [word.format(nat=f"pmp:{router.address}", state=state, address=loopback_address()) for word in words]
        process = subprocess.Popen(
            [sys.executable, "-m", "portmap", *filled], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        time.sleep(moment / 1000)
        process.send_signal(signal.SIGINT)
        again = False
        try:
            out, err = process.communicate(timeout=8)
        except subprocess.TimeoutExpired:
            again = True
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=8)
        return Ended(moment, process.returncode, out, err, len(router.entries), again)


def fallen(ended: list[Ended]) -> list[Ended]:
    """Those that fell by it, or did not hear it."""
    return [it for it in ended if it.again or OURS.search(it.err) or ("Traceback" in it.err and it.out)]


@pytest.mark.parametrize(
    "words",
    [
        ("--nat", "{nat}", "--state", "{state}", "80"),
        ("run", "--nat", "{nat}", "--state", "{state}", "80", "--", *PROGRAM),
        ("open", "--nat", "{nat}", "--state", "{state}", RANGE),
        ("ip", "--nat", "{nat}"),
        ("ls", "--nat", "{nat}"),
        ("doctor", "--nat", "{nat}"),
        ("doctor", "80", "--try", "--nat", "{nat}"),
        ("status", "--watch", "--state", "{state}"),
        ("router", "--address", "{address}"),
        ("demo",),
    ],
    ids=lambda words: " ".join(words[:1] if words[0] != "doctor" else words[:3]),
)
def test_ctrl_c_at_any_moment_leaves_nothing_behind(
    words: tuple[str, ...], interrupted: Callable[..., list[Ended]]
) -> None:
    ended = interrupted(*words)
    heard = [it for it in ended if SWALLOWED not in it.err]
    assert not fallen(heard)
    assert not [
        it for it in heard if it.code not in {0, 1, 8, *INTERRUPTED}
    ]  # 8: the doctor had found that nothing listens
    assert not [it for it in ended if it.left and f"{RANGE}/tcp are open" not in it.out]  # all is open: asked for
