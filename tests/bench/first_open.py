"""The first `portmap.open()` of a process beside the second, and the import of portmap before it."""

import sys
from pathlib import Path

from tests.bench.results import Bar, Samples, Table
from tests.lab.lab import Lab
from tests.lab.router import LAN

PEER = str(Path(__file__).with_name("peers") / "opening_twice.py")
ROUNDS = 15
RATIO = 1.5  # issue 16
IMPORT, FIRST, SECOND, BOTH = "import", "first", "second", "import and first"
SPECS = {"pmp": f"pmp:{LAN}", "pcp": f"pcp:{LAN}", "upnp": "upnp", "any": "any"}


def measure(lab: Lab) -> list[Table]:
    """One table each protocol; the first run of each only warms the caches."""
    return [_table(lab, spec, name) for name, spec in SPECS.items()]


def _table(lab: Lab, spec: str, name: str) -> Table:
    samples: Samples = {which: [] for which in (IMPORT, FIRST, SECOND, BOTH)}
    for number in range(ROUNDS + 1):
        told = lab.lan.run([sys.executable, PEER, spec, "21000", "21001"]).split()
        if number:
            imported, first, second = map(float, told)
            for which, took in ((IMPORT, imported), (FIRST, first), (SECOND, second), (BOTH, imported + first)):
                samples[which].append(took)
    bars = [
        Bar(f"the first at most {RATIO} x the second", lambda m: m[FIRST] <= RATIO * m[SECOND]),
        Bar(f"the import and the first at most {RATIO} x the second", lambda m: m[BOTH] <= RATIO * m[SECOND]),
    ]
    return Table(f"portmap.open() of {name} to the mapping, in one process", "ms", samples, SECOND, bars)
