"""From the start of a process to its first mapping, portmap beside its peers.

Two clocks: `told` stops when the client says so (portmap: its first `mapping.added`; the others: their exit), and
`open` stops when the router's kernel has the rule, as `nft monitor` reports it, the same for everybody.
"""

import itertools
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO, Self

from tests.bench.results import Bar, Samples, Table, interleaved
from tests.lab.lab import HOST, Lab
from tests.lab.router import LAN

PEERS = Path(__file__).with_name("peers")
PORTMAP = str(Path(sys.executable).with_name("portmap"))
ROUNDS = 7

Command = Callable[[str], list[str]]  # a port to the words that map it

ONE_SHOT: dict[str, Command] = {
    "natpmpc": lambda port: ["natpmpc", "-g", LAN, "-a", port, port, "tcp", "600"],
    "py-natpmp": lambda port: [sys.executable, "-W", "ignore", str(PEERS / "stock_natpmp.py"), LAN, port],
    "upnpc": lambda port: ["upnpc", "-a", HOST, port, port, "tcp", "600"],
    "miniupnpc": lambda port: [sys.executable, str(PEERS / "stock_miniupnpc.py"), port],
}
HOLDING: dict[str, Command] = {
    "portmap pcp": lambda port: [PORTMAP, "--nat", f"pcp:{LAN}", "--json", port],
    "portmap pmp": lambda port: [PORTMAP, "--nat", f"pmp:{LAN}", "--json", port],
    "portmap upnp": lambda port: [PORTMAP, "--nat", "upnp", "--json", port],
    "portmap any": lambda port: [PORTMAP, "--nat", "any", "--json", port],
}
BARS = [
    Bar("portmap upnp at least 5 x faster than upnpc -a", lambda m: m["upnpc"] >= 5 * m["portmap upnp"]),
    Bar("portmap upnp at least 3 x faster than miniupnpc", lambda m: m["miniupnpc"] >= 3 * m["portmap upnp"]),
]


class Watch:
    """The router's own view: when each external port was opened."""

    def __init__(self, lab: Lab) -> None:
        self._opened: dict[str, float] = {}
        self._news = threading.Condition()
        self._monitor = lab.router.popen(
            ["nft", "monitor", "new", "rules"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert self._monitor.stdout
        self._reader = threading.Thread(target=self._read, args=(self._monitor.stdout,))
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._monitor.kill()
        self._monitor.wait()
        self._reader.join()

    def opened(self, port: str, timeout: float = 5.0) -> float:
        """The moment at which the port was opened, on the clock of `time.monotonic`."""
        with self._news:
            assert self._news.wait_for(lambda: port in self._opened, timeout), f"port {port} was never opened"
            return self._opened[port]

    def _read(self, stdout: IO[str]) -> None:
        with stdout:
            for line in stdout:
                if found := re.search(r"th dport (\d+) dnat", line):
                    with self._news:
                        self._opened[found[1]] = time.monotonic()
                        self._news.notify_all()


def measure(lab: Lab) -> list[Table]:
    """The two tables: told, and open."""
    ports = map(str, itertools.count(20000))
    opened: Samples = {}
    with Watch(lab) as watch:

        def timed(name: str, run: Callable[[Lab, list[str]], float], command: Command) -> float:
            port = next(ports)
            begun = time.monotonic()
            told = run(lab, command(port))
            opened.setdefault(name, []).append((watch.opened(port) - begun) * 1e3)
            forget(lab, port)
            return (told - begun) * 1e3

        holding = {name: partial(timed, name, _hold, command) for name, command in HOLDING.items()}
        one_shot = {name: partial(timed, name, _run, command) for name, command in ONE_SHOT.items()}
        told = interleaved(holding | one_shot, ROUNDS)
    return [
        Table("Process start to mapping made, told by the client", "ms", told, "portmap upnp", BARS),
        Table("Process start to mapping made, seen in the router's kernel", "ms", opened, "portmap upnp", BARS),
    ]


def _run(lab: Lab, command: list[str]) -> float:
    lab.lan.run(command)
    return time.monotonic()


def forget(lab: Lab, port: str) -> None:
    """Delete what a one-shot client left: miniupnpd slows down with every mapping that it holds."""
    lab.lan.run(["natpmpc", "-g", LAN, "-a", port, port, "tcp", "0"])
    lab.lan.run(["upnpc", "-u", lab.router.description_url, "-d", port, "tcp"])


def _hold(lab: Lab, command: list[str]) -> float:
    process = lab.lan.popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout
    with process.stdout:
        said = next((line for line in process.stdout if "mapping.added" in line), "")
        told = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.stdout.read()
    assert said, f"{' '.join(command)} made no mapping"
    process.wait(10)
    return told
