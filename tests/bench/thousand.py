"""A thousand mappings on one gateway: making them, and renewing them all at once, against the simulated router.

The router runs in this process, the session in another (`peers/holding_thousand.py`), whose CPU time alone counts.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.results import Grid, Row

from portmap.testing import Router

COUNT = 1000
TIMEOUT = 240  # seconds for everything, start to end
SECONDS, CPU = 20, 2  # the bars of issue 4
SPECS = ["pmp", "upnp"]

_PEER = str(Path(__file__).with_name("peers") / "holding_thousand.py")


def measure() -> Grid:
    """Both protocols, one after the other, each with a router of its own."""
    figures = {f"portmap {spec}": _run(spec) for spec in SPECS}

    def row(name: str, what: str, bar: str = "", limit: float = 0) -> Row:
        cells = {who: f"{told[what]:.2f} s" for who, told in figures.items()}
        return Row(name, cells, bar, figures["portmap pmp"][what] < limit if bar else None)

    rows = [
        row("all made, wall clock", "made"),
        row("all made, CPU", "made_cpu"),
        row("a full renewal round, wall clock", "renewed", f"under {SECONDS} s", SECONDS),
        row("a full renewal round, CPU", "renewed_cpu", f"under {CPU} s", CPU),
    ]
    note = f"{COUNT} mappings; the bars are judged for NAT-PMP, UPnP is told beside it."
    return Grid(f"{COUNT} mappings against the simulated router", note, list(figures), rows)


def _run(spec: str) -> dict[str, float]:
    with Router(pmp=spec == "pmp", upnp=spec == "upnp", pmp_port=0) as router, tempfile.TemporaryDirectory() as state:
        where = router.description_url if spec == "upnp" else f"{router.address}:{router.pmp_port}"
        done = subprocess.run(
            [sys.executable, _PEER, spec, where, state, str(COUNT)],
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))
