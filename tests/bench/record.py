"""docs/bench.json: the figures of the last bench, with the date, the machine and the versions of the peers."""

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[2] / "docs" / "bench.json"
_DEBIAN = ("miniupnpd-nftables", "miniupnpc", "natpmpc", "transmission-daemon")


def read() -> dict[str, Any]:
    """What the file says; empty where there is none."""
    return dict(json.loads(FILE.read_text())) if FILE.exists() else {}


def write(figures: dict[str, dict[str, dict[str, float | None]]], peers: dict[str, str]) -> None:
    """Put these measurements, by title, row and program, in the place of those of the same title."""
    before = read()
    record = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, {_load()}",
        "python": platform.python_version(),
        "peers": before.get("peers", {}) | _versions() | peers,
        "measurements": before.get("measurements", {}) | figures,
    }
    FILE.write_text(json.dumps(record, indent=2, sort_keys=True) + "\n")


def _load() -> str:
    """Whether the machine had other work to do."""
    return f"load {os.getloadavg()[2]:.1f} in the last 15 minutes"


def _versions() -> dict[str, str]:
    words = ["dpkg-query", "--show", "--showformat", "${Package} ${Version}\\n", *_DEBIAN]
    listed = subprocess.run(words, capture_output=True, text=True, check=False).stdout
    return dict(line.split(" ", 1) for line in listed.splitlines() if " " in line.strip())
