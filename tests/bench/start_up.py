"""What it costs to start the command, beside the smallest command that typer can make."""

import json
import re
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

from tests.bench.results import Bar, Grid, Row, Table, interleaved

from portmap.testing import Router, loopback_address

ROUNDS = 15
BARE = [sys.executable, str(Path(__file__).with_name("peers") / "bare_typer.py")]
OURS = str(Path(sys.executable).with_name("portmap"))
FIRST_LINE = 1.5  # issue 6
QUICK = 300.0  # ms: issue 6
TO_MAPPING = 2.2  # times the bare typer app: issue 16
HEAVIEST = 10
IMPORT_LINE = re.compile(r"import time: +(\d+) \| +(\d+) \| +(\S+)")


def measure() -> list[Table | Grid]:
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
        mappings = {
            "portmap pmp to the mapping": lambda: _to_mapping([*there, "8080"]),
            "portmap upnp to the mapping": lambda: _to_mapping(["--nat", f"upnp:{router.description_url}", "8080"]),
            "bare typer app": lambda: _whole(BARE),
        }
        for contestants in (starts, questions, mappings):
            interleaved(contestants, 1)
        started, asked, mapped = (interleaved(it, ROUNDS) for it in (starts, questions, mappings))
        imports = _heaviest_imports([*there, "8080"])
    bars = [
        Bar(
            "--version at most 1.4 x the bare typer app", lambda m: m["portmap --version"] <= 1.4 * m["bare typer app"]
        ),
        Bar(
            "first line under 1.5 x the bare typer app",
            lambda m: m["portmap 8080, first line"] < FIRST_LINE * m["bare typer app"],
        ),
    ]
    both = Bar(
        f"both at most {TO_MAPPING} x the bare typer app",
        lambda m: max(m.values()) <= TO_MAPPING * m["bare typer app"],
    )
    quick = Bar("both under 0.3 s", lambda m: max(m.values()) < QUICK)
    return [
        Table("Start-up", "ms", started, "bare typer app", bars),
        Table("One question, start to exit", "ms", asked, "portmap status", [quick]),
        Table("Command start to the mapping", "ms", mapped, "bare typer app", [both]),
        imports,
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


def _to_mapping(words: list[str]) -> float:
    begun = time.monotonic()
    with subprocess.Popen(_holding(words), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while json.loads(process.stdout.readline())["event"] != "mapping.added":
            pass
        took = (time.monotonic() - begun) * 1e3
        process.terminate()
        process.stdout.read()
    return took


def _holding(words: list[str]) -> list[str]:
    return [OURS, "--json", "--state", "none", *words]


def _heaviest_imports(words: list[str]) -> Grid:
    """The modules that take longest to import from the start to the first mapping."""
    own, whole = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
    for _ in range(ROUNDS):
        command = [sys.executable, "-X", "importtime", *_holding([*words, "--for", "1s"])]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stderr
        for mine, with_others, module in IMPORT_LINE.findall(told):
            own[module].append(int(mine) / 1e3)
            whole[module].append(int(with_others) / 1e3)
    medians = {module: statistics.median(times) for module, times in own.items()}
    ours = {module: took for module, took in medians.items() if module.startswith("portmap")}
    first, second = "itself, ms", "with what it imports, ms"
    rows = [
        Row(f"all {len(medians)} modules", {first: f"{sum(medians.values()):.1f}"}),
        Row(f"{len(ours)} of them ours", {first: f"{sum(ours.values()):.1f}"}),
    ]
    for module in sorted(medians, key=medians.__getitem__, reverse=True)[:HEAVIEST]:
        cells = {first: f"{medians[module]:.1f}", second: f"{statistics.median(whole[module]):.1f}"}
        rows.append(Row(module, cells))
    note = f"`python -X importtime`, NAT-PMP, the {HEAVIEST} heaviest; medians of {ROUNDS} runs."
    return Grid("Imports of the command until the mapping", note, [first, second], rows)
