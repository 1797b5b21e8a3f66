"""The long run, `make fuzz`: every target for so many seconds; what breaks is kept, and printed as hex.

`python -m tests.fuzz.long [--seconds N] [--dir DIR] [TARGET…]`, from the project's folder. Guided by coverage where
atheris is installed (`pip install atheris`), one process a target; elsewhere the mutations of the short run with fresh
chance. Exit code 1 if anything was found.
"""

import argparse
import re
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from random import Random

from tests.fuzz import limits
from tests.fuzz.guided import SLOWEST
from tests.fuzz.mutations import draw
from tests.fuzz.targets import BY_NAME, Target

_DONE = re.compile(r"Done (\d+) runs|stat::number_of_executed_units: *(\d+)|^#(\d+)\s", re.MULTILINE)
_GRACE = 600  # seconds for a child to start, and to stop, on a busy machine


def main() -> int:
    """Run, report, and say by the exit code whether all is well."""
    options = _options()
    run = _guided if find_spec("atheris") else _unguided
    if run is _unguided:
        print("atheris is not installed: mutations at random, not guided by coverage", flush=True)
    found = [problem for name in options.targets for problem in run(BY_NAME[name], options.seconds, options.dir / name)]
    print(f"{len(found)} found" if found else "nothing found")
    return bool(found)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.long")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"all by default: {', '.join(BY_NAME)}")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--dir", type=Path, default=Path("build/fuzz"), help="for what was found, and the corpus")
    options = parser.parse_args()
    if unknown := set(options.targets) - set(BY_NAME):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    options.targets = options.targets or list(BY_NAME)
    return options


def _guided(target: Target, seconds: int, folder: Path) -> list[str]:
    """One process under atheris. What it leaves in the folder, and says, is judged here."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SLOWEST).unlink(missing_ok=True)
    began, before = time.time(), set(folder.glob("*-*"))
    command = [sys.executable, "-m", "tests.fuzz.guided", target.name, str(seconds), str(folder)]
    ended = subprocess.run(
        command, capture_output=True, text=True, errors="replace", check=False, timeout=seconds + _GRACE
    )
    output = ended.stdout + ended.stderr
    counts = [int(next(filter(None, groups))) for groups in _DONE.findall(output)]
    _tell(target, max(counts, default=0), time.time() - began)
    problems = [_show(target, file.name, file.read_bytes()) for file in set(folder.glob("*-*")) - before]
    if ended.returncode:
        (folder / "output").write_text(output)
        problems = problems or [_show(target, f"exit code {ended.returncode}", b"")]
        print("\n".join(line for line in output.splitlines() if not line.startswith(("#", "INFO")))[-3000:])
    slowest = folder / SLOWEST
    return problems + (_costs(target, slowest.read_bytes()) if slowest.exists() else [])


def _unguided(target: Target, seconds: int, folder: Path) -> list[str]:
    """The short run's mutations, other ones each time."""
    random = Random()  # noqa: S311  # nothing secret
    began, runs = time.time(), 0
    problems: list[str] = []
    while time.time() < began + seconds and not problems:
        data, runs = draw(target, random), runs + 1
        try:
            target.try_out(data)
        except Exception as error:  # noqa: BLE001  # whatever it raises is what is looked for
            problems = [_kept(target, repr(error), data, folder)]
        if runs % 100 == 0:
            problems += _costs(target, data)
    _tell(target, runs, time.time() - began)
    return problems


def _costs(target: Target, data: bytes) -> list[str]:
    """What is wrong with the time and the memory that this input takes."""
    took, peak = limits.cpu_seconds(target, data), limits.peak_bytes(target, data)
    if took <= limits.SECONDS and peak <= limits.BYTES:
        return []
    return [_show(target, f"{took * 1000:.0f} ms, {peak / 1e6:.1f} MB", data)]


def _kept(target: Target, what: str, data: bytes, folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"crash-{time.time_ns()}").write_bytes(data)
    return _show(target, what, data)


def _show(target: Target, what: str, data: bytes) -> str:
    text = f"{target.name}: {what}: {data.hex()}"
    print(text, flush=True)
    return text


def _tell(target: Target, runs: int, seconds: float) -> None:
    print(f"{target.name:16} {runs:10} inputs {runs / seconds:9.0f}/s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
