"""The benchmarks, in the lab, each beside its peers in the same run: `python tests/bench/run.py`.

Prints Markdown. A missed bar is printed, not an error: the exit code is 0 unless a measurement cannot be made.
"""

import platform
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for `tests`, when run as a script

from tests.bench import first_mapping, in_process, memory, start_up
from tests.bench.figures import Table
from tests.lab.lab import Lab
from tests.lab.namespace import why_not


def measure(lab: Lab) -> Iterator[Table]:
    """Every table, one after the other: nothing is measured while something else runs."""
    yield from first_mapping.measure(lab)
    yield in_process.measure(lab)
    yield start_up.measure()
    yield memory.measure(lab)


def main() -> None:
    """Print the tables as they come."""
    if reason := why_not():
        sys.exit(f"the lab {reason}")
    print(f"Python {platform.python_version()}, {platform.system()} {platform.release()}\n", flush=True)
    with Lab() as lab:
        lab.router.start_miniupnpd()
        for table in measure(lab):
            print(table.markdown(), flush=True)


if __name__ == "__main__":
    main()
