"""What it costs to start the command, beside the smallest command that typer can make."""

import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from functools import partial
from pathlib import Path

from tests.bench.results import Bar, Grid, Row, Samples, Table, interleaved
from tests.lab.lab import Lab

from portmap.testing import Router, loopback_address

ROUNDS = 15
BARE = [sys.executable, str(Path(__file__).with_name("peers") / "bare_typer.py")]
OURS = str(Path(sys.executable).with_name("portmap"))
FIRST_LINE = 1.5  # issue 6
QUICK = 300.0  # ms: issue 6
TO_MAPPING = 2.2  # times the bare typer app: issue 16
SPECS = ("pmp", "pcp", "upnp", "any")
BARE_APP = "bare typer app"
HEAVIEST = 10
IMPORT_LINE = re.compile(r"import time: +(\d+) \| +(\d+) \| +(\S+)")


def measure(lab: Lab) -> list[Table | Grid]:
    """Whole processes; the first run of each only warms the caches."""
    with Router(loopback_address()) as router:
        there = ["--nat", f"pmp:{router.address}"]
        starts = {
            "portmap --version": lambda: _whole([OURS, "--version"]),
            "portmap 8080, first line": lambda: _first_line([OURS, *there, "8080"]),
            BARE_APP: lambda: _whole(BARE),
        }
        questions = {
            "portmap status": lambda: _whole([OURS, "status"]),
            "portmap ip": lambda: _whole([OURS, "ip", *there]),
        }
        for contestants in (starts, questions):
            interleaved(contestants, 1)
        started, asked = interleaved(starts, ROUNDS), interleaved(questions, ROUNDS)
        imports = _heaviest_imports([*there, "8080"])
    bars = [
        Bar("--version at most 1.4 x the bare typer app", lambda m: m["portmap --version"] <= 1.4 * m[BARE_APP]),
        Bar(
            "first line under 1.5 x the bare typer app",
            lambda m: m["portmap 8080, first line"] < FIRST_LINE * m[BARE_APP],
        ),
    ]
    quick = Bar("both under 0.3 s", lambda m: max(m.values()) < QUICK)
    return [
        Table("Start-up", "ms", started, BARE_APP, bars),
        Table("One question, start to exit", "ms", asked, "portmap status", [quick]),
        *_to_mapping(lab),
        imports,
    ]


def _to_mapping(lab: Lab) -> list[Table | Grid]:
    """Two tables from the same runs, with a real miniupnpd: how long it takes, and how much of it is computing."""
    cpu: Samples = {}
    contestants = {f"portmap {spec}": partial(_hold, lab, spec, cpu) for spec in SPECS}
    contestants[BARE_APP] = partial(_bare, lab, cpu)
    interleaved(contestants, 1)
    cpu.clear()
    took = interleaved(contestants, ROUNDS)
    all_quick = Bar(
        f"all at most {TO_MAPPING} x the bare typer app", lambda m: max(m.values()) <= TO_MAPPING * m[BARE_APP]
    )
    return [
        Table("Command start to the mapping", "ms", took, BARE_APP, [all_quick]),
        Table("Command start to the mapping, computing", "ms of CPU", cpu, BARE_APP, [all_quick]),
    ]


def _hold(lab: Lab, spec: str, cpu: Samples) -> float:
    begun = time.monotonic()
    with lab.lan.popen(_holding(["--nat", spec, "8080"]), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        while json.loads(process.stdout.readline())["event"] != "mapping.added":
            pass
        took = (time.monotonic() - begun) * 1e3
        cpu.setdefault(f"portmap {spec}", []).append(_cpu_so_far(process.pid))
        process.terminate()
        process.stdout.read()
    return took


def _bare(lab: Lab, cpu: Samples) -> float:
    begun = time.monotonic()
    process = lab.lan.popen(BARE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    cpu.setdefault(BARE_APP, []).append((usage.ru_utime + usage.ru_stime) * 1e3)
    return (time.monotonic() - begun) * 1e3


def _cpu_so_far(pid: int) -> float:
    """Milliseconds that all threads of a running process have computed: the first word of schedstat is in ns."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e6


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
