"""What it costs to start the command, beside the smallest command that typer can make."""

import subprocess
import sys
import time
from pathlib import Path

from tests.bench.results import Bar, Table, interleaved

from portmap.testing import Router, loopback_address

ROUNDS = 15
BARE = [sys.executable, str(Path(__file__).with_name("peers") / "bare_typer.py")]
OURS = str(Path(sys.executable).with_name("portmap"))
FIRST_LINE = 1.5  # issue 6
QUICK = 300.0  # ms: issue 6


def measure() -> list[Table]:
    """Whole processes; the first run of each only warms the caches."""
    with Router(loopback_address()) as router:
        there = ["--nat", f"pmp:{router.address}"]
        starts = {
            "portmap --version": lambda: _whole([OURS, "--version"]),
            "portmap 8080, first line": lambda: _first_line([OURS, *there, "8080"]),
            "bare typer app": lambda: _whole(BARE),
        }
        questions = {
            "portmap status": lambda: _whole([OURS, "status"]),
            "portmap ip": lambda: _whole([OURS, "ip", *there]),
        }
        for contestants in (starts, questions):
            interleaved(contestants, 1)
        started, asked = interleaved(starts, ROUNDS), interleaved(questions, ROUNDS)
    bars = [
        Bar(
            "--version at most 1.4 x the bare typer app", lambda m: m["portmap --version"] <= 1.4 * m["bare typer app"]
        ),
        Bar(
            "first line under 1.5 x the bare typer app",
            lambda m: m["portmap 8080, first line"] < FIRST_LINE * m["bare typer app"],
        ),
    ]
    quick = Bar("both under 0.3 s", lambda m: max(m.values()) < QUICK)
    return [
        Table("Start-up", "ms", started, "bare typer app", bars),
        Table("One question, start to exit", "ms", asked, "portmap status", [quick]),
    ]


def _whole(command: list[str]) -> float:
    begun = time.monotonic()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return (time.monotonic() - begun) * 1e3


def _first_line(command: list[str]) -> float:
    begun = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        took = (time.monotonic() - begun) * 1e3
        process.terminate()
        process.stdout.read()
    return took
