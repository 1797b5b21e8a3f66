"""What it costs to start the command, beside the smallest command that typer can make."""

import subprocess
import sys
import time
from pathlib import Path

from tests.bench.figures import Bar, Table, interleaved

ROUNDS = 15
BARE = [sys.executable, str(Path(__file__).with_name("peers") / "bare_typer.py")]
OURS = [str(Path(sys.executable).with_name("portmap")), "--version"]


def measure() -> Table:
    """Whole processes, start to exit; the first run of each only warms the caches."""
    contestants = {"portmap --version": lambda: _timed(OURS), "bare typer app": lambda: _timed(BARE)}
    interleaved(contestants, 1)
    bar = Bar("at most 1.4 x the bare typer app", lambda m: m["portmap --version"] <= 1.4 * m["bare typer app"])
    samples = interleaved(contestants, ROUNDS)
    return Table("Start-up", "ms", samples, "bare typer app", [bar])


def _timed(command: list[str]) -> float:
    begun = time.monotonic()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return (time.monotonic() - begun) * 1e3
