"""One target under atheris, which looks for inputs that reach new code: `python -m tests.fuzz.guided NAME SECONDS DIR`.

This process ends as libFuzzer ends it, with a crash file in DIR or without. Instrumented code is slow, so time is
not judged here: the slowest input is left in DIR for `long.py`, which measures it as it really runs.
"""

import sys
import time
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

_PLUGINS = ("enr", "extip", "natpmp", "pcp", "publish", "stun", "torrent", "upnp")
_INSTRUMENTED = ["portmap", *(f"portmap_{name}" for name in _PLUGINS), "http", "email", "tomllib"]
_WORTH_A_LOOK = 0.02  # seconds
_TIMEOUT = 5  # seconds until libFuzzer calls one input a hang
SLOWEST = "slowest"


def main(name: str, seconds: str, folder: str) -> None:
    """Fuzz until the time is over or something breaks."""
    atheris: Any = import_module("atheris")
    with atheris.instrument_imports(include=_INSTRUMENTED):
        import_module("http.client")  # which `transfer` imports late
        targets, mutations = import_module("tests.fuzz.targets"), import_module("tests.fuzz.mutations")
    target = targets.BY_NAME[name]
    corpus = Path(folder, "corpus")
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)

    def mutated(data: bytes, most: int, seed: int) -> bytes:
        if seed % 2:
            return bytes(atheris.Mutate(data, most))
        return bytes(mutations.mutate(data, target, Random(seed))[:most])  # noqa: S311  # nothing secret

    options = [f"-max_total_time={seconds}", f"-max_len={target.limit}", f"-artifact_prefix={folder}/"]
    limits = [f"-timeout={_TIMEOUT}", "-rss_limit_mb=1024", "-len_control=0"]
    atheris.Setup([sys.argv[0], *options, *limits, str(corpus)], _Watch(target, Path(folder)), custom_mutator=mutated)
    atheris.Fuzz()


class _Watch:
    """Tries each input, and keeps the slowest."""

    def __init__(self, target: Any, folder: Path) -> None:
        self._target = target
        self._file = folder / SLOWEST
        self._slowest = _WORTH_A_LOOK

    def __call__(self, data: bytes) -> None:
        began = time.thread_time()
        self._target.try_out(data)
        took = time.thread_time() - began
        if took > self._slowest:
            self._slowest = took
            self._file.write_bytes(data)


if __name__ == "__main__":
    main(*sys.argv[1:])
