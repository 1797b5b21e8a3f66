"""The first mapping inside a running Python process: our backends beside a bare socket that does the same exchange.

Each starts from nothing every time: a new backend object, a new socket. The bare socket sends one packet and reads one,
and checks nothing: this is what the protocol itself costs. py-natpmp's `map_port` is the peer of issue 2.
"""

import itertools
import os
import socket
import struct
import time
import warnings
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

from tests.bench.results import Bar, Table, interleaved
from tests.lab.lab import HOST, Lab
from tests.lab.router import LAN

from portmap.model import Protocol
from portmap_natpmp import NatPmp
from portmap_pcp import Pcp

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # py-natpmp 0.2.5 has an invalid escape in a string
    import natpmp

ROUNDS = 50
LIFETIME = 600
PEER = LAN, 5351
BARE = 1.5  # issue 5

Work = Callable[[int], object]  # maps a TCP port


def measure(lab: Lab) -> list[Table]:
    """Both protocols, on a thread inside the LAN host's namespace."""
    ports = itertools.count(30000)

    def theirs(port: int) -> None:
        natpmp.map_port(natpmp.NATPMP_PROTOCOL_TCP, port, port, LIFETIME, gateway_ip=LAN)

    by_natpmp: dict[str, Work] = {"portmap pmp": _pmp, "bare socket": _bare_natpmp, "py-natpmp map_port": theirs}
    by_pcp: dict[str, Work] = {"portmap pcp": _pcp, "bare socket": _bare_pcp}
    natpmp_bars = [
        Bar("within 1.5 x of a bare socket", lambda m: m["portmap pmp"] <= BARE * m["bare socket"]),
        # The router's own 5 ms are most of both figures, and the same code differs by some 5 % from run to run.
        Bar("no slower than py-natpmp's map_port", lambda m: m["portmap pmp"] <= m["py-natpmp map_port"]),
    ]
    pcp_bars = [Bar("within 1.5 x of a bare socket", lambda m: m["portmap pcp"] <= BARE * m["bare socket"])]
    return [
        _table(lab, "NAT-PMP", by_natpmp, ports, natpmp_bars),
        _table(lab, "PCP", by_pcp, ports, pcp_bars),
    ]


def _table(lab: Lab, what: str, works: dict[str, Work], ports: "itertools.count[int]", bars: list[Bar]) -> Table:
    contestants = {name: (lambda work=work: _timed(work, next(ports))) for name, work in works.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # py-natpmp leaves its socket to the collector
        samples = lab.lan.inside(lambda: interleaved(contestants, ROUNDS))
    return Table(f"First mapping over {what}, in-process", "ms", samples, "bare socket", bars)


def _timed(work: Work, port: int) -> float:
    begun = time.perf_counter()
    made = work(port)
    took = (time.perf_counter() - begun) * 1e3
    # miniupnpd slows down with every mapping it holds: no backend shall pay for the one before.
    _forget(port, made)
    return took


def _pmp(port: int) -> None:
    NatPmp.from_argument(LAN).add_mapping(Protocol.TCP, port, port, LIFETIME, client=None)


def _pcp(port: int) -> bytes:
    return bytes.fromhex(
        Pcp(IPv4Address(LAN)).add_mapping(Protocol.TCP, port, port, LIFETIME, "", exact=False, client=None).token
    )


def _bare_natpmp(port: int) -> None:
    _ask(struct.pack("!BBHHHI", 0, 2, 0, port, port, LIFETIME))


def _bare_pcp(port: int, nonce: bytes | None = None, lifetime: int = LIFETIME) -> bytes:
    nonce = nonce or os.urandom(12)
    ours = IPv6Address(f"::ffff:{HOST}").packed
    nowhere = IPv6Address("::ffff:0.0.0.0").packed
    head = struct.pack("!BBHI16s", 2, 1, 0, lifetime, ours)
    _ask(head + struct.pack("!12sB3xHH16s", nonce, 6, port, port, nowhere))
    return nonce


def _ask(request: bytes) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.settimeout(2)
        link.connect(PEER)
        link.send(request)
        return link.recv(1100)


def _forget(port: int, nonce: object) -> None:
    if isinstance(nonce, bytes):
        _bare_pcp(port, nonce, 0)
    else:
        NatPmp(IPv4Address(LAN)).delete_mapping(Protocol.TCP, port, port, client=None)
