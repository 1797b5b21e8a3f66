"""The first mapping over NAT-PMP inside a running Python process: our backend beside py-natpmp's `map_port`.

Each starts from nothing every time: a new backend object, a new socket.
"""

import itertools
import time
import warnings
from collections.abc import Callable

from tests.bench.figures import Bar, Table, interleaved
from tests.lab.lab import Lab
from tests.lab.router import LAN

from portmap.model import Protocol
from portmap_natpmp import NatPmp

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # py-natpmp 0.2.5 has an invalid escape in a string
    import natpmp

ROUNDS = 50


def measure(lab: Lab) -> Table:
    """Both on a thread inside the LAN host's namespace."""
    ports = itertools.count(30000)

    def ours(port: int) -> None:
        NatPmp.from_argument(LAN).add_mapping(Protocol.TCP, port, port, 600)

    def theirs(port: int) -> None:
        natpmp.map_port(natpmp.NATPMP_PROTOCOL_TCP, port, port, 600, gateway_ip=LAN)

    contestants = {
        "portmap natpmp": lambda: _timed(ours, next(ports)),
        "py-natpmp map_port": lambda: _timed(theirs, next(ports)),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # py-natpmp leaves its socket to the collector
        samples = lab.lan.inside(lambda: interleaved(contestants, ROUNDS))
    # The router's own 5 ms are most of both figures, and the same code differs by some 5 % from run to run.
    bar = Bar("no slower than py-natpmp's map_port", lambda m: m["portmap natpmp"] <= m["py-natpmp map_port"])
    return Table("First mapping over NAT-PMP, in-process", "ms", samples, "portmap natpmp", [bar])


def _timed(work: Callable[[int], None], port: int) -> float:
    begun = time.perf_counter()
    work(port)
    took = (time.perf_counter() - begun) * 1e3
    # miniupnpd slows down with every mapping it holds: nobody shall pay for the one before.
    NatPmp.from_argument(LAN).delete_mapping(Protocol.TCP, port)
    return took
