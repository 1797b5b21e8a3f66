"""`--via stun:HOST`: which servers prove a UDP port."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from tests.punch.stun_peer import StunPeer

from portmap.errors import Refused, SpecError
from portmap.model import Protocol
from portmap.reachability.stun_responder import StunResponder


@pytest.fixture
def servers() -> Iterator[tuple[StunPeer, StunPeer]]:
    """Two servers that answer each client, and ignore what else it asks for."""
    with ExitStack() as stack:
        yield stack.enter_context(StunPeer()), stack.enter_context(StunPeer())


def asked(server: StunPeer) -> None:
    StunResponder.parse(f"stun:{server.address}:{server.port}").check(4001, Protocol.UDP, "0123456789abcdef")


def test_a_server_that_does_not_answer_to_another_port_proves_nothing(servers: tuple[StunPeer, StunPeer]) -> None:
    servers[0].other = servers[1].peer
    with pytest.raises(Refused, match="answers to no other port"):
        asked(servers[0])


def test_a_server_with_one_address_proves_nothing(servers: tuple[StunPeer, StunPeer]) -> None:
    servers[0].other = servers[0].peer
    with pytest.raises(Refused, match="has one address only"):
        asked(servers[0])


def test_one_server_is_named() -> None:
    with pytest.raises(SpecError, match="name one"):
        StunResponder.parse("stun:a.example+b.example")
