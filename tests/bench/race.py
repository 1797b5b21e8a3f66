"""`any` beside the backends that it races: the first mapping, and how long it takes to say that no gateway answers."""

import itertools
import time
from collections.abc import Callable

from tests.bench.results import Bar, Table, interleaved
from tests.lab.lab import Lab
from tests.lab.router import LAN

import portmap
from portmap.errors import NoGateway
from portmap.model import Protocol

ROUNDS = 15
VERDICTS = 3
SINGLE = {"portmap pcp": f"pcp:{LAN}", "portmap pmp": f"pmp:{LAN}", "portmap upnp": "upnp"}
LATER = 20.0  # ms: issue 5
VERDICT = 3200.0  # ms: issue 5


def measure(lab: Lab) -> list[Table]:
    """Each from nothing every time: address and first mapping, as the loop asks for them."""
    ports = itertools.count(31000)
    specs = {"portmap any": "any", **SINGLE}
    contestants = {name: _asking(spec, ports) for name, spec in specs.items()}
    lab.lan.inside(lambda: interleaved(contestants, 1))  # imports
    samples = lab.lan.inside(lambda: interleaved(contestants, ROUNDS))
    bar = Bar(
        "any no slower than the fastest plus 20 ms",
        lambda m: m["portmap any"] <= min(m[name] for name in SINGLE) + LATER,
    )
    return [Table("Address and first mapping, in-process", "ms", samples, "portmap any", [bar]), _verdict(lab)]


def _asking(spec: str, ports: "itertools.count[int]") -> Callable[[], float]:
    def ask() -> float:
        port = next(ports)
        begun = time.perf_counter()
        door = portmap.load(spec)
        door.external_ip()
        grant = door.add_mapping(Protocol.TCP, port, port, "", 600)
        took = (time.perf_counter() - begun) * 1e3
        door.delete_mapping(Protocol.TCP, grant.external_port, port, token=grant.token)
        return took

    return ask


def _verdict(lab: Lab) -> Table:
    """The router drops everything without a word."""
    lab.router.drop()
    try:
        samples = lab.lan.inside(lambda: interleaved({"portmap any": _in_vain}, VERDICTS))
    finally:
        lab.router.recover()
    bar = Bar("at most 3.2 s", lambda m: m["portmap any"] <= VERDICT)
    return Table("No gateway answers: time to the verdict, in-process", "ms", samples, "portmap any", [bar])


def _in_vain() -> float:
    begun = time.perf_counter()
    try:
        portmap.load("any").external_ip()
    except NoGateway:
        return (time.perf_counter() - begun) * 1e3
    raise AssertionError("a gateway answered")
