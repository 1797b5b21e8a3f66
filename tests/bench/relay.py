"""How fast punch's relay hands bytes on, and how many connections at once, beside socat.

One connection sends 256 MiB through each relay in turn; then 1,000 connections are opened one after the other, all stay
open, and each asks and is answered. All on loopback, in a namespace of its own.
"""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from socket import SHUT_WR, create_connection, socket

from tests.bench.results import Bar, Table, interleaved
from tests.lab.lab import Lab

PEERS = Path(__file__).with_name("peers")
SINK, ECHO = 9001, 9002  # ports of the application
BYTES = 256 * 1024 * 1024
CONNECTIONS = 1000
ROUNDS = 5
READY = 10.0  # seconds for a program to listen
RELAYS = ("portmap", "socat", "socat -b 65536")


def measure(lab: Lab) -> list[Table]:
    """Both tables. Raises FileNotFoundError where socat is not installed."""
    if shutil.which("socat") is None:
        raise FileNotFoundError("socat is not installed: the relay has nothing to be compared with")
    with ExitStack() as stack:
        for port, what in ((SINK, "sink"), (ECHO, "echo")):
            stack.enter_context(_running(lab, [sys.executable, str(PEERS / "application.py"), str(port), what], port))
        return [_throughput(lab), _connections(lab)]


def _throughput(lab: Lab) -> Table:
    samples = _samples(lab, SINK, lambda port: BYTES / lab.lan.inside(lambda: _seconds_to_send(port)) / 1e6, ROUNDS)
    bar = Bar("at least 90 % of socat", lambda m: m["portmap"] >= 0.9 * m["socat"])
    return Table("A relayed connection: 256 MiB one way", "MB/s", samples, "socat", [bar])


def _connections(lab: Lab) -> Table:
    samples = _samples(lab, ECHO, lambda port: 1000 * lab.lan.inside(lambda: _seconds_to_connect(port)), 3)
    return Table(f"{CONNECTIONS} relayed connections, all open at once, each answered", "ms", samples, "socat")


def _samples(lab: Lab, target: int, run: Callable[[int], float], rounds: int) -> dict[str, list[float]]:
    with ExitStack() as stack:
        contestants: dict[str, Callable[[], float]] = {}
        for port, name in enumerate(RELAYS, 9100):
            stack.enter_context(_running(lab, _words(name, port, target), port))
            contestants[name] = partial(run, port)
        return interleaved(contestants, rounds)


def _words(relay: str, port: int, target: int) -> list[str]:
    """The command line of a relay from `port` to `target`."""
    if relay == "portmap":
        return [sys.executable, str(PEERS / "relaying.py"), str(port), str(target)]
    return [*relay.split(), f"TCP-LISTEN:{port},reuseaddr,fork,backlog=256", f"TCP:127.0.0.1:{target}"]


@contextmanager
def _running(lab: Lab, words: list[str], port: int) -> Iterator[None]:
    """The program, once it listens."""
    process = lab.lan.popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        lab.lan.inside(lambda: _wait_for(port))
        yield
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + READY
    while True:
        try:
            return _connect(port).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _connect(port: int) -> socket:
    return create_connection(("127.0.0.1", port), timeout=30)


def _seconds_to_send(port: int) -> float:
    """Until the application has read all and has ended the connection."""
    chunk = bytes(1024 * 1024)
    with closing(_connect(port)) as connection:
        begun = time.monotonic()
        for _ in range(BYTES // len(chunk)):
            connection.sendall(chunk)
        connection.shutdown(SHUT_WR)
        assert connection.recv(1) == b""
        return time.monotonic() - begun


def _seconds_to_connect(port: int) -> float:
    with ExitStack() as stack:
        begun = time.monotonic()
        for number in range(CONNECTIONS):
            connection = stack.enter_context(closing(_connect(port)))
            word = f"{number:04}".encode()
            connection.sendall(word)
            assert connection.recv(len(word)) == word
        return time.monotonic() - begun
