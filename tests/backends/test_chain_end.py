"""The end of a chain's session while a gateway is still opening a port."""

import threading
from ipaddress import IPv4Address
from typing import ClassVar

import pytest

from portmap.backends.chain.chain_nat import ChainNat
from portmap.backends.nat import Nat
from portmap.errors import NATError
from portmap.hookspecs import hookimpl
from portmap.model import Address, Grant, Kind, Protocol

OTHER = 5  # how much further the port is than the one that was asked for
LONG = 5.0  # seconds, that no test here waits out


class _SlowGateway:
    """Opens another port than it was asked for, once it is told to answer."""

    kind: ClassVar[Kind] = Kind.LOOP

    def __init__(self, name: str) -> None:
        self.name = name
        self.table: set[int] = set()
        self.asked, self.may_answer = threading.Event(), threading.Event()

    def __str__(self) -> str:
        return self.name

    @hookimpl
    def external_ip(self) -> Address:
        return IPv4Address("192.168.1.2")

    @hookimpl
    def add_mapping(
        self, external_port: int, internal_port: int, lifetime: int, client: Address | None
    ) -> Grant:  # a client may be named
        self.asked.set()
        self.may_answer.wait(LONG)
        port = (external_port or internal_port) + OTHER
        self.table.add(port)
        return Grant(port, lifetime)

    @hookimpl
    def delete_mapping(self, external_port: int, client: Address | None) -> None:
        self.table.discard(external_port)


@pytest.mark.parametrize("answers_before_the_end", [True, False])
def test_a_port_that_a_gateway_opens_while_the_session_ends_is_deleted_again(answers_before_the_end: bool) -> None:
    inner, outer = _SlowGateway("inner"), _SlowGateway("outer")
    chain = ChainNat([Nat(inner, "inner"), Nat(outer, "outer")], "chain")
    end = chain.watch(lambda _: None)
    opening = threading.Thread(target=lambda: _open(chain))
    opening.start()
    assert inner.asked.wait(LONG)
    answer = threading.Timer(0.05 if answers_before_the_end else 0.8, inner.may_answer.set)
    answer.start()
    end()
    opening.join(LONG)
    answer.join()
    assert (inner.table, outer.table) == (set(), set())
    assert not outer.asked.is_set()


def _open(chain: ChainNat) -> None:
    with pytest.raises(NATError):
        chain.add_mapping(Protocol.TCP, 0, 80, "web", 600, LONG)
