"""Packets and servers that the tests of the backend `pcp` share."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.pcp.conftest import Peer

from portmap.model import Grant, Protocol
from portmap_pcp import Pcp

if TYPE_CHECKING:
    pass


TalkTo = Callable[[Peer], Pcp]
NONCE = "0123456789abcdef01234567"
TCP = Protocol.TCP


def add(backend: Pcp, token: str = "", external: int = 0, lifetime: int = 600, *, exact: bool = False) -> Grant:
    return backend.add_mapping(TCP, external, 30303, lifetime, token, exact, client=None)
