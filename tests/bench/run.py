"""The benchmarks, in the lab, each beside its peers in the same run: `python tests/bench/run.py [--only NAME]…`.

Prints Markdown. A missed bar is printed, not an error: the exit code is 0 unless a measurement cannot be made.
"""

import argparse
import compileall
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for `tests`, when run as a script

from tests.bench import (
    applications,
    cost,
    first_mapping,
    first_open,
    in_process,
    loss,
    memory,
    picture,
    race,
    record,
    recovery,
    relay,
    remembered,
    restart,
    start_up,
    thousand,
)
from tests.bench.clients import Libtorrent
from tests.bench.results import Figures, Grid, Table
from tests.lab.lab import Lab
from tests.lab.namespace import why_not

ROOT = Path(__file__).resolve().parents[2]

IN_TURN: dict[str, Callable[[Lab], Sequence[Table | Grid]]] = {
    "first_mapping": first_mapping.measure,
    "in_process": in_process.measure,
    "first_open": first_open.measure,
    "race": race.measure,
    "applications": lambda lab: [applications.measure(lab)],
    "remembered": lambda lab: [remembered.measure(lab)],
    "start_up": start_up.measure,
    "relay": relay.measure,
    "memory": lambda lab: [memory.measure(lab)],
}
THOUSAND = "thousand"
BESIDE: dict[str, Callable[[Libtorrent], Grid]] = {
    "restart": restart.measure,
    "recovery": recovery.measure,
    "loss": loss.measure,
    "cost": cost.measure,
}
NAMES = [*IN_TURN, THOUSAND, *BESIDE]


def compile_ours() -> None:
    """Write our bytecode, as pip does when it installs a package.

    Where PYTHONDONTWRITEBYTECODE is set, every start would compile a hundred modules: half of what it costs.
    """
    for folder in ("core", "plugins"):
        compileall.compile_dir(ROOT / folder, quiet=1)


def in_turn(names: list[str]) -> Iterator[Table | Grid]:
    """What takes milliseconds, one after the other: nothing is measured while something else runs."""
    with Lab() as lab:
        lab.router.start_miniupnpd()
        for name in names:
            yield from IN_TURN[name](lab)


def beside(names: list[str], peers: dict[str, str]) -> Iterator[Grid]:
    """What takes minutes, most of them spent waiting: side by side, each in labs of its own."""
    with ExitStack() as stack, ThreadPoolExecutor() as pool:
        libtorrent = Libtorrent(stack)
        running = [pool.submit(BESIDE[name], libtorrent) for name in names]
        for grid in running:
            yield grid.result()
        if names:
            peers["libtorrent"] = libtorrent.version


def measure(names: list[str], peers: dict[str, str]) -> Iterator[Table | Grid]:
    """Every table that was asked for, as they come; `peers` learns the versions of what was installed for it."""
    yield from in_turn([name for name in names if name in IN_TURN])
    if THOUSAND in names:
        yield thousand.measure()
    yield from beside([name for name in names if name in BESIDE], peers)


def main() -> None:
    """Print the tables as they come."""
    parser = argparse.ArgumentParser(description="Measures portmap beside its peers; prints Markdown.")
    parser.add_argument("--only", action="append", choices=NAMES, help="this measurement; may be repeated")
    parser.add_argument("--write", action="store_true", help="write docs/bench.json, and draw its pictures")
    arguments = parser.parse_args()
    names = arguments.only or NAMES
    if reason := why_not():
        sys.exit(f"the lab {reason}")
    begun = time.monotonic()
    compile_ours()
    print(f"Python {platform.python_version()}, {platform.system()} {platform.release()}\n", flush=True)
    with tempfile.TemporaryDirectory(prefix="portmap-bench-") as home:
        os.environ["XDG_STATE_HOME"] = home  # what was held before is none of the benchmark's business
        figures: dict[str, Figures] = {}
        peers: dict[str, str] = {}
        for table in measure(names, peers):
            print(table.markdown(), flush=True)
            figures[table.title] = table.figures()
    if arguments.write:
        record.write({title: numbers for title, numbers in figures.items() if numbers}, peers)
        picture.main()
    print(f"All of it took {(time.monotonic() - begun) / 60:.1f} min.")


if __name__ == "__main__":
    main()
