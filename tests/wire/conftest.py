"""Fixtures for the wire tools: a scripted UDP peer and a web site."""

from tests.publish.conftest import site
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
    "site",
    "ticking",
    "until",
]
