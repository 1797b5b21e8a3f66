"""Who holds ports beside whom: our backends and libtorrent, in one lab, each with a port of its own.

libtorrent comes from the index into an environment of the benchmark's own, which goes with it.
"""

import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.lab.command import Portmap, Program
from tests.lab.lab import Lab
from tests.lab.traffic import knock, reach

LIBTORRENT = "libtorrent"
OURS = {"portmap pmp": "pmp", "portmap upnp": "upnp", "portmap any": "any"}
NAMES = [*OURS, LIBTORRENT]

_PEER = str(Path(__file__).with_name("peers") / "holding_libtorrent.py")
_FIRST_PORT = 4001
TIMEOUT = 0.1  # seconds; nothing is lost on this way, and less shows more exactly when the port is open again


@dataclass(frozen=True)
class Contestant:
    """A program that holds one TCP port in the lab."""

    name: str
    program: Program
    lab: Lab

    def is_reached(self) -> bool:
        """Whether the internet reaches the port that the program has told last."""
        port, wan = self.program.port(), self.lab.router.wan
        if self.name == LIBTORRENT:  # speaks BitTorrent there, so a connection has to do
            return self.lab.internet.inside(lambda: reach(wan, port, TIMEOUT))
        return self.lab.internet.inside(lambda: knock("TCP", wan, port, TIMEOUT))


class Libtorrent:
    """A Python that can import libtorrent, made when it is first wanted, by whichever thread."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._lock = threading.Lock()
        self._python = ""

    @property
    def python(self) -> str:
        """Its path."""
        with self._lock:
            self._python = self._python or self._install()
        return self._python

    @property
    def version(self) -> str:
        """What the module says."""
        words = [self.python, "-c", "import libtorrent; print(libtorrent.__version__)"]
        return subprocess.run(words, check=True, capture_output=True, text=True, timeout=60).stdout.strip()

    def _install(self) -> str:
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="portmap-libtorrent-"))
        subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=120)
        python = f"{folder}/bin/python"
        words = [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check", LIBTORRENT]
        subprocess.run(words, check=True, timeout=120)
        return python


def holder(name: str, lab: Lab, libtorrent: Libtorrent, mapping: str, lease: int | None = None) -> Program:
    """The program of that name, about to hold a mapping; `lease` in seconds, else what it has by default.

    libtorrent takes the port alone, and holds TCP and UDP.
    """
    if name == LIBTORRENT:
        return Program(lab.lan, libtorrent.python, _PEER, mapping.partition("/")[0], *([str(lease)] if lease else []))
    return Portmap(lab.lan, "--nat", OURS[name], *(["--lease", f"{lease}s"] if lease else []), mapping)


@contextmanager
def all_holding(lab: Lab, libtorrent: Libtorrent, lease: int | None = None) -> Iterator[list[Contestant]]:
    """Everybody in one lab, from the moment at which all hold their ports."""
    with ExitStack() as stack:
        contestants = []
        for port, name in enumerate(NAMES, _FIRST_PORT):
            if name != LIBTORRENT:
                lab.serve(port)
            program = stack.enter_context(holder(name, lab, libtorrent, str(port), lease))
            contestants.append(Contestant(name, program, lab))
        for contestant in contestants:
            contestant.program.wait_for("mapping.added", protocol="TCP")
        yield contestants
