"""`make mutants`: small faults are put into the modules that decide, one at a time; the tests must find each of them.

cosmic-ray makes the faults, in a copy of the tree, and runs the tests of the module. A sample is drawn, as the whole
takes hours: `--each N` faults a module, `--seed S` which ones. A fault that no test finds survives; those that are
meant to are listed in `survivors.toml`, each with its reason. More than 5 % of the others fail the run.
"""

import argparse
import json
import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random

ROOT = Path(__file__).parents[2]
LIMIT = 0.05  # of all faults
TIMEOUT = 60  # seconds for the tests of one fault at the least
PATIENCE = 8  # times as long as they take without a fault: the machine may be busier then
LEFT_OUT = "tests/loop/test_memory.py"  # measures memory; takes longer than all the others of its folder
MODULES = {
    "core/portmap/loop/lease.py": "tests/loop",
    "core/portmap/loop/lease_manager.py": "tests/loop",
    "core/portmap/loop/mapping_check.py": "tests/loop",
    "core/portmap/loop/pairing.py": "tests/loop",
    "core/portmap/loop/loop.py": "tests/loop",
    "core/portmap/loop/gateway_state.py": "tests/loop",
    "core/portmap/loop/debounce.py": "tests/loop",
    "core/portmap/storage/journal.py": "tests/storage/test_journal.py tests/storage/test_journal_store.py tests/loop",
    "core/portmap/backends/answers.py": "tests/backends/test_nat.py tests/backends/test_answers.py",
    "core/portmap/backends/chain/chain_mapping.py": "tests/backends/test_chain.py tests/backends/test_chain_rules.py "
    "tests/backends/test_next_gateway.py",
    "core/portmap/backends/chain/backend.py": "tests/backends/test_chain.py tests/backends/test_chain_rules.py "
    "tests/backends/test_next_gateway.py",
    "core/portmap/backends/chain/hop_mapping.py": "tests/backends/test_hop_mapping.py tests/backends/test_chain.py",
    "core/portmap/backends/chain/next_gateway.py": "tests/backends/test_next_gateway.py",
    "core/portmap/wire/exchange.py": "tests/wire/test_exchange.py tests/natpmp",
    "plugins/upnp/portmap_upnp/mapping/port_mapper.py": "tests/upnp/test_port_mapper.py tests/upnp/test_read_back.py "
    "tests/upnp/test_lifetimes.py tests/upnp/test_old_address.py tests/upnp/test_deletion.py "
    "tests/upnp/test_opening.py tests/upnp/test_gateway_session.py tests/upnp/test_external_address.py "
    "tests/upnp/test_real_routers_ports.py",
    "plugins/upnp/portmap_upnp/mapping/entry_maker.py": "tests/upnp/test_port_mapper.py tests/upnp/test_read_back.py "
    "tests/upnp/test_lifetimes.py tests/upnp/test_old_address.py tests/upnp/test_deletion.py "
    "tests/upnp/test_late_answers.py tests/upnp/test_real_routers.py tests/upnp/test_real_routers_leases.py "
    "tests/upnp/test_real_routers_ports.py",
    "plugins/upnp/portmap_upnp/mapping/granted_leases.py": "tests/upnp/test_granted_leases.py",
    "plugins/upnp/portmap_upnp/discovery/discover.py": "tests/upnp/test_discovery.py",
    "plugins/upnp/portmap_upnp/mapping/ownership.py": "tests/upnp/test_ownership.py tests/upnp/test_ownership_probe.py "
    "tests/upnp/test_other_client.py",
    "core/portmap/publishers/convergence.py": "tests/publishers/test_convergence.py",
    "core/portmap/host/files.py": "tests/host/test_files.py",
    "core/portmap/host/claims.py": "tests/host/test_claims.py tests/host/test_neighbours.py "
    "tests/backends/test_shared.py",
    "core/portmap/backends/shared.py": "tests/backends/test_shared.py",
    "plugins/natpmp/portmap_natpmp/epoch.py": "tests/natpmp/test_epoch.py tests/natpmp/test_announce_backend.py",
    "plugins/pcp/portmap_pcp/epoch.py": "tests/pcp/test_epoch.py tests/pcp/test_watch.py",
    "plugins/pcp/portmap_pcp/client.py": "tests/pcp",
}
"""Each module that decides, with the tests that have to find what is wrong in it."""
PACKAGES = ("core", *(f"plugins/{folder.name}" for folder in sorted((ROOT / "plugins").iterdir()) if folder.is_dir()))


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: where it is, what was changed, whether a test found it; `in_time`: not by taking too long."""

    module: str
    line: int
    diff: str
    found: bool
    in_time: bool = True

    @property
    def changed(self) -> str:
        """The line as it was, without blanks around it: how `survivors.toml` knows it."""
        lines = [line[1:].strip() for line in self.diff.splitlines() if line.startswith("-") and line[1:2] != "-"]
        return lines[0] if lines else ""


def main() -> int:
    """Put faults in, and tell what survived. 0: no more than LIMIT of them, but for those that are listed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=8, help="faults a module")
    parser.add_argument("--seed", type=int, default=1, help="which faults")
    parser.add_argument("modules", nargs="*", default=list(MODULES), help="paths of modules; all by default")
    options = parser.parse_args()
    listed = _listed()
    faults: list[Fault] = []
    with tempfile.TemporaryDirectory(prefix="portmap-mutants-") as folder:
        copy = Path(folder) / "tree"
        shutil.copytree(
            ROOT, copy, ignore=shutil.ignore_patterns(".git", ".venv", ".clients", "*.pyc", "dist", "build")
        )
        for module in options.modules:
            tried = list(_faults(copy, module, options.each, options.seed))
            faults += tried
            late = sum(not fault.in_time for fault in tried)
            survived = sum(not fault.found for fault in tried)
            print(f"{module}: {len(tried)} faults, {survived} survived, {late} found as the tests hung", flush=True)
            for fault in (fault for fault in tried if not fault.found):
                known = " (listed)" if (fault.module, fault.changed) in listed else ""
                print(f"survived{known}: {fault.module}:{fault.line}\n{fault.diff}\n", flush=True)
    survivors = [fault for fault in faults if not fault.found]
    unlisted = [fault for fault in survivors if (fault.module, fault.changed) not in listed]
    share = len(unlisted) / max(1, len(faults))
    print(f"\n{len(faults)} faults, {len(survivors)} survived, {len(unlisted)} of them not listed: {share:.1%}")
    return int(share > LIMIT)


def _faults(copy: Path, module: str, each: int, seed: int) -> Iterator[Fault]:
    """Try so many faults of one module."""
    config, session = copy / "mutants.toml", copy / "mutants.sqlite"
    session.unlink(missing_ok=True)
    command = (
        f"{sys.executable} -m pytest -q -x -p no:cacheprovider -p no:randomly --ignore {LEFT_OUT} {MODULES[module]}"
    )
    timeout = max(TIMEOUT, PATIENCE * _seconds_without_fault(copy, command))
    config.write_text(
        "[cosmic-ray]\n"
        f"module-path = {json.dumps(module)}\n"
        f"timeout = {timeout:.0f}\n"
        "excluded-modules = []\n"
        f"test-command = {json.dumps(command)}\n"
        "[cosmic-ray.distributor]\n"
        'name = "local"\n'
    )
    _cosmic_ray(copy, "init", config, session)
    _keep_a_sample(session, each, seed)
    _cosmic_ray(copy, "exec", config, session)
    for line in _cosmic_ray(copy, "dump", session).splitlines():
        item, result = json.loads(line)
        if result is not None:
            mutation = item["mutations"][0]
            found, in_time = result["test_outcome"] != "survived", result["output"] != "timeout"
            yield Fault(module, mutation["start_pos"][0], result["diff"] or "", found, in_time)


def _seconds_without_fault(copy: Path, command: str) -> float:
    """How long the tests take as they are; where one fails, no fault could be found."""
    began = time.monotonic()
    done = subprocess.run(
        shlex.split(command), cwd=copy, env=_environment(copy), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"the tests fail without a fault:\n{done.stdout}{done.stderr}")
    return time.monotonic() - began


def _keep_a_sample(session: Path, each: int, seed: int) -> None:
    """Keep one fault at each of so many places, drawn by chance. Only what stands in functions counts.

    A constant has its source beside it, and a test of it would only repeat it.
    """
    chance = Random(seed)  # noqa: S311  # a sample
    places: dict[tuple[int, int, int, int], list[tuple[str, str]]] = {}
    with closing(sqlite3.connect(session)) as database, database:
        rows = database.execute(
            "SELECT job_id, operator_name, start_pos_row, start_pos_col, end_pos_row, end_pos_col "
            "FROM mutation_specs WHERE definition_name IS NOT NULL ORDER BY operator_name, occurrence"
        )
        for job, operator, *place in rows:
            places.setdefault((place[0], place[1], place[2], place[3]), []).append((operator, job))
        drawn = chance.sample(sorted(places), min(each, len(places)))
        kept = [chance.choice(places[place])[1] for place in drawn]
        marks = ", ".join("?" * len(kept))
        for table in ("mutation_specs", "work_items"):
            database.execute(f"DELETE FROM {table} WHERE job_id NOT IN ({marks})", kept)  # noqa: S608  # two names


def _cosmic_ray(copy: Path, *words: str | Path) -> str:
    """Run the tool in the copy."""
    tool = Path(sys.executable).with_name("cosmic-ray")
    done = subprocess.run([tool, *words], cwd=copy, env=_environment(copy), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"cosmic-ray {words[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def _environment(copy: Path) -> dict[str, str]:
    """The variables for a program in the copy, whose packages come before the installed ones."""
    paths = [str(copy), *(str(copy / package) for package in PACKAGES)]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"}


def _listed() -> set[tuple[str, str]]:
    """The survivors that are meant to survive: module and line."""
    rows = tomllib.loads((Path(__file__).parent / "survivors.toml").read_text())["survivor"]
    return {(row["module"], row["line"]) for row in rows if row["reason"]}


if __name__ == "__main__":
    sys.exit(main())
