"""A PCP server that follows a script, on loopback, IPv4 or IPv6, with real sockets."""

from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias

import pytest
from tests.udp_peer import (
    Announce,
    Clock,
    MakePeer,
    Peer,
    Until,
    announce,
    announced_at,
    announced_at_6,
    closed_port,
    impatient,
    patient,
    peer,
    ticking,
    until,
)

from portmap.testing import Router
from portmap.wire import Timeouts
from portmap_pcp import Pcp, PcpPinholes, Settings

HERE, HERE6 = IPv4Address("127.0.0.1"), IPv6Address("::1")


def announced(epoch: int = 5, result: int = 0, lifetime: int = 0) -> str:
    """The answer to an ANNOUNCE."""
    return f"02 80 00 {result:02x} {lifetime:08x} {epoch:08x}" + "00" * 12


def refused(result: int, lifetime: int = 0, epoch: int = 5) -> str:
    """A short refusal of a MAP: its header."""
    return f"02 81 00 {result:02x} {lifetime:08x} {epoch:08x}" + "00" * 12


def mapped(
    external: int = 30303,
    lifetime: int = 600,
    *,
    epoch: int = 5,
    address: str = "::ffff:203.0.113.7",
    internal: int = 30303,
    protocol: int = 6,
    nonce: str = "N",
) -> str:
    """The answer to a MAP."""
    ip = IPv6Address(address).packed.hex()
    head = f"02 81 00 00 {lifetime:08x} {epoch:08x}" + "00" * 12
    return f"{head} {nonce} {protocol:02x} 000000 {internal:04x} {external:04x} {ip}"


NATPMP_ONLY = "00 00 0001 00000005"
ADDRESS = "00 80 0000 00000005 cb007107"  # NAT-PMP: 203.0.113.7
EXTERNAL = IPv4Address("203.0.113.7")

Talk: TypeAlias = Callable[..., Pcp]


@pytest.fixture
def talk_to(patient: Timeouts) -> Callable[[Peer], Pcp]:
    """A backend for that server."""
    return lambda server: Pcp(HERE, Settings(port=server.port, timeouts=patient, announced_at=()))


@pytest.fixture
def talk(peer: MakePeer, talk_to: Callable[[Peer], Pcp]) -> Talk:
    """A backend and the script of its server."""
    return lambda *script: talk_to(peer(*script))


@pytest.fixture
def pinholes_at(patient: Timeouts) -> Callable[[Peer], PcpPinholes]:
    """Pinholes for that server, from ::1, as if that were a global address."""
    return lambda server: PcpPinholes(
        HERE6, Settings(port=server.port, timeouts=patient, announced_at=()), own_address=lambda: HERE6
    )


__all__ = [
    "ADDRESS",
    "EXTERNAL",
    "HERE",
    "HERE6",
    "NATPMP_ONLY",
    "Announce",
    "Clock",
    "MakePeer",
    "Peer",
    "Talk",
    "Until",
    "announce",
    "announced",
    "announced_at",
    "announced_at_6",
    "closed_port",
    "impatient",
    "mapped",
    "patient",
    "peer",
    "pinholes_at",
    "refused",
    "talk",
    "talk_to",
    "ticking",
    "until",
]


@pytest.fixture
def router() -> Iterator[Router]:
    with Router(upnp=False, pmp_port=0, uptime=100.0) as router:
        yield router


@pytest.fixture
def backend(router: Router, patient: Timeouts) -> Pcp:
    return Pcp(HERE, Settings(port=router.pmp_port, timeouts=patient, announced_at=()))
