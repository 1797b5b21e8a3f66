"""Fixtures for NAT-PMP: a scripted UDP peer."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from tests.natpmp.packets import ADDRESS, HERE
from tests.udp_peer import (
    Announce,
    Clock,
    MakePeer,
    Peer,
    Until,
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
from portmap_natpmp import NatPmp, Timeouts

__all__ = [
    "Announce",
    "Clock",
    "MakePeer",
    "Peer",
    "Until",
    "announce",
    "announced_at",
    "announced_at_6",
    "closed_port",
    "impatient",
    "patient",
    "peer",
    "ticking",
    "until",
]


@pytest.fixture
def announce(announced_at: tuple[str, int]) -> Announce:
    """`announce(*datagrams, by=…)`: in hexadecimal, from any port of that address."""

    def announce(*datagrams: str, by: str = "127.0.0.1") -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind((by, 0))
            for datagram in datagrams:
                sender.sendto(bytes.fromhex(datagram), announced_at)

    return announce


@pytest.fixture
def talk_to(patient: Timeouts) -> Callable[["Peer"], NatPmp]:
    return lambda gateway: NatPmp(HERE, gateway.port, timeouts=patient, announced_at=())


@pytest.fixture
def talk(peer: "MakePeer", talk_to: Callable[["Peer"], NatPmp]) -> Callable[..., NatPmp]:
    """A backend and the script of its gateway."""
    return lambda *script: talk_to(peer(*script))


@pytest.fixture
def gateway(peer: "MakePeer") -> "Peer":
    """A good gateway at 127.0.0.4, and at the same port of 127.0.0.2 silence, of 127.0.0.3 garbage."""
    gateway = peer(ADDRESS, address="127.0.0.4")
    peer("", address="127.0.0.2", port=gateway.port)
    peer("ff", address="127.0.0.3", port=gateway.port)
    return gateway


@pytest.fixture
def watch() -> Iterator[Callable[[NatPmp], list[str]]]:
    """`watch(backend)` gives the list that its alerts will be in."""
    with ExitStack() as stack:

        def watch(backend: NatPmp) -> list[str]:
            alerts: list[str] = []
            stack.callback(backend.watch(alerts.append))
            return alerts

        yield watch


@pytest.fixture
def router() -> Iterator[Router]:
    with Router(upnp=False, pmp_port=0) as router:
        yield router


@pytest.fixture
def backend(router: Router, patient: Timeouts) -> NatPmp:
    return NatPmp(HERE, router.pmp_port, timeouts=patient)
