"""From the start of a process to its first open port: portmap beside applications that map their own.

The clock stops when the router's kernel has the rule, the same for everybody. Each application is Debian's or the
index's, with its own defaults, its port and port mapping switched on.
"""

import itertools
import json
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from tests.bench.clients import LIBTORRENT, Libtorrent
from tests.bench.first_mapping import PORTMAP, Watch, forget
from tests.bench.results import Table, interleaved
from tests.lab.lab import Lab

ROUNDS = 5
TRANSMISSION = "transmission-daemon"
TIMEOUT = 30.0  # seconds until an application is given up
_PEER = str(Path(__file__).with_name("peers") / "holding_libtorrent.py")

Words = Callable[[str, Path], list[str]]  # a port and a folder of its own to the words that map it


def measure(lab: Lab) -> Table:
    """Each from nothing every time."""
    ports = map(str, itertools.count(22000))
    with ExitStack() as stack, Watch(lab) as watch:
        python = Libtorrent(stack).python
        programs: dict[str, Words] = {
            "portmap any": lambda port, _: [PORTMAP, "--nat", "any", "--json", port],
            "portmap upnp": lambda port, _: [PORTMAP, "--nat", "upnp", "--json", port],
            LIBTORRENT: lambda port, _: [python, _PEER, port],
            TRANSMISSION: _transmission,
        }
        contestants = {name: _starting(lab, watch, words, ports) for name, words in programs.items()}
        samples = interleaved(contestants, ROUNDS)
    return Table("Process start to port open, seen in the router's kernel", "ms", samples, "portmap any")


def _starting(lab: Lab, watch: Watch, words: Words, ports: "map[str]") -> Callable[[], float]:
    def start() -> float:
        port = next(ports)
        with tempfile.TemporaryDirectory(prefix="portmap-bench-") as home:
            command = words(port, Path(home))
            begun = time.monotonic()
            process = lab.lan.popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                return (watch.opened(port, TIMEOUT) - begun) * 1e3
            finally:
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                forget(lab, port)

    return start


def _transmission(port: str, home: Path) -> list[str]:
    settings = {"peer-port": int(port), "port-forwarding-enabled": True, "dht-enabled": False, "rpc-enabled": False}
    (home / "settings.json").write_text(json.dumps(settings))
    return [TRANSMISSION, "--foreground", "--config-dir", str(home), "--download-dir", str(home)]
