"""The first `portmap.open()` of a process beside the second: what the first pays for is nearly all imports."""

import sys
from pathlib import Path

from tests.bench.results import Bar, Samples, Table
from tests.lab.lab import Lab
from tests.lab.router import LAN

PEER = str(Path(__file__).with_name("peers") / "opening_twice.py")
ROUNDS = 15
RATIO = 1.5  # issue 16
WHICH = ("first", "second")


def measure(lab: Lab) -> list[Table]:
    """One table each protocol; the first run of each only warms the caches."""
    return [_table(lab, f"{name}:{LAN}", name) for name in ("pmp", "pcp")]


def _table(lab: Lab, spec: str, name: str) -> Table:
    samples: Samples = {which: [] for which in WHICH}
    for number in range(ROUNDS + 1):
        told = lab.lan.run([sys.executable, PEER, spec, "21000", "21001"]).split()
        for which, took in zip(WHICH, told, strict=True):
            if number:
                samples[which].append(float(took))
    bar = Bar(f"the first at most {RATIO} x the second", lambda m: m["first"] <= RATIO * m["second"])
    return Table(f"portmap.open() of {name} to the mapping, in one process", "ms", samples, "second", [bar])
