"""Fixtures for NAT-PMP: a scripted UDP peer."""

import socket

import pytest
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
