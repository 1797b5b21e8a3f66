"""Packets and gateways that the tests of the backend `pmp` share."""

from collections.abc import Callable
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from portmap_natpmp import NatPmp

if TYPE_CHECKING:
    from tests.natpmp.conftest import Peer


HERE = IPv4Address("127.0.0.1")
ADDRESS = "00 80 0000 00000005 cb007107"  # epoch 5 s, 203.0.113.7
GRANT = "00 82 0000 00000005 765f 765f 00000258"  # epoch 5 s, TCP 30303 -> 30303, 600 s
EXTERNAL = IPv4Address("203.0.113.7")
Talk = Callable[..., NatPmp]
TalkTo = Callable[["Peer"], NatPmp]


class Candidates(list[IPv4Address]):
    """The routing table: it may change between two calls."""

    def __call__(self) -> list[IPv4Address]:
        return list(self)


SILENT, NOISY, GOOD = (IPv4Address(f"127.0.0.{n}") for n in (2, 3, 4))
