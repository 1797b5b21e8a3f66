"""Resident memory while two mappings are held, read five seconds after the start."""

import re
import subprocess
import sys
import time
from pathlib import Path

from tests.bench.results import Bar, Table
from tests.lab.lab import Lab
from tests.lab.router import LAN

SETTLE = 5  # seconds
PORTMAP = str(Path(sys.executable).with_name("portmap"))
HOLDERS = {
    "portmap pmp": [PORTMAP, "--nat", f"pmp:{LAN}", "10001", "10002"],
    "portmap upnp": [PORTMAP, "--nat", "upnp", "10003", "10004"],
    "portmap any": [PORTMAP, "--nat", "any", "10005", "10006"],
    "miniupnpc": [sys.executable, str(Path(__file__).with_name("peers") / "holding_miniupnpc.py"), "10007", "10008"],
    "bare python": [sys.executable, "-c", "import time; time.sleep(60)"],
}
HELD = range(10001, 10009)


def measure(lab: Lab) -> Table:
    """All holders at once, each in the same five seconds."""
    quiet = subprocess.DEVNULL
    processes = {name: lab.lan.popen(words, stdout=quiet, stderr=quiet) for name, words in HOLDERS.items()}
    time.sleep(SETTLE)
    held = {entry.external_port for entry in lab.router.mappings()}
    samples = {name: [_resident(process.pid)] for name, process in processes.items()}
    for process in processes.values():
        process.kill()
        process.wait()
    assert held >= set(HELD), f"not held: {sorted(set(HELD) - held)}"
    bar = Bar("at most 45 MB", lambda m: max(value for name, value in m.items() if "portmap" in name) <= 45)
    return Table("Resident memory holding two mappings", "MB", samples, "bare python", [bar])


def _resident(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found, f"process {pid} has ended"
    return int(found[1]) / 1024
