"""A chain whose outermost backend listens at a port of this host itself, as punch does."""

from ipaddress import IPv4Address
from itertools import count
from typing import ClassVar

import pytest

from portmap.backends.chain.chain_nat import ChainNat
from portmap.backends.nat import Nat
from portmap.errors import Conflict, Refused, SpecError
from portmap.hookspecs import hookimpl
from portmap.model import Address, Grant, Kind, Protocol

TCP = Protocol.TCP
FIRST_LOCAL = 50001
OUTSIDE = 40000
OTHER_HOST = IPv4Address("192.168.1.50")


class _Gateway:
    """Maps by UPnP or the like; `taken` are external ports of other hosts, in place of which it gives the next one."""

    kind: ClassVar[Kind] = Kind.LOOP

    def __init__(self) -> None:
        self.taken: set[int] = set()
        self.table: dict[int, tuple[int, Address | None]] = {}

    def __str__(self) -> str:
        return "gateway 192.168.1.1"

    @hookimpl
    def external_ip(self) -> Address:
        return IPv4Address("100.64.0.2")

    @hookimpl
    def add_mapping(self, external_port: int, internal_port: int, lifetime: int, client: Address | None) -> Grant:
        port = next(port for port in count(external_port or internal_port) if port not in self.taken)
        self.table[port] = internal_port, client
        return Grant(port, lifetime)

    @hookimpl
    def delete_mapping(self, external_port: int, client: Address | None) -> None:  # as it is called
        self.table.pop(external_port, None)


class _Puncher:
    """Listens at a local port of its own for each mapping."""

    kind: ClassVar[Kind] = Kind.LOOP

    def __init__(self) -> None:
        self.local: dict[int, int] = {}
        self.asked: list[int] = []
        self.refusal: Refused | None = None
        self._free = count(FIRST_LOCAL)

    def __str__(self) -> str:
        return "puncher"

    @hookimpl
    def external_ip(self) -> Address:
        return IPv4Address("1.2.3.4")

    @hookimpl
    def local_port(self, internal_port: int) -> int:
        if internal_port not in self.local:
            self.local[internal_port] = next(self._free)
        return self.local[internal_port]

    @hookimpl
    def add_mapping(self, internal_port: int) -> Grant:
        self.asked.append(internal_port)
        if self.refusal is not None:
            raise self.refusal
        return Grant(OUTSIDE, 120)

    @hookimpl
    def delete_mapping(self, internal_port: int) -> None:
        self.local.pop(internal_port, None)


@pytest.fixture
def gateway() -> _Gateway:
    return _Gateway()


@pytest.fixture
def puncher() -> _Puncher:
    return _Puncher()


@pytest.fixture
def chain(gateway: _Gateway, puncher: _Puncher) -> ChainNat:
    return ChainNat([Nat(gateway, "gateway"), Nat(puncher, "puncher")], "chain")


def test_the_gateway_forwards_to_the_local_port_by_the_same_number(
    chain: ChainNat, gateway: _Gateway, puncher: _Puncher
) -> None:
    grant = chain.add_mapping(TCP, 0, 8080, "web", 600)
    assert (grant.external_port, grant.lifetime) == (OUTSIDE, 120)
    assert gateway.table == {FIRST_LOCAL: (FIRST_LOCAL, None)}
    assert puncher.asked == [8080]


def test_a_renewal_changes_nothing_and_the_end_leaves_nothing(
    chain: ChainNat, gateway: _Gateway, puncher: _Puncher
) -> None:
    for _ in range(2):
        grant = chain.add_mapping(TCP, 0, 8080, "web", 600)
    assert gateway.table == {FIRST_LOCAL: (FIRST_LOCAL, None)}
    chain.delete_mapping(TCP, grant.external_port, 8080, token=grant.token)
    assert (gateway.table, puncher.local) == ({}, {})


def test_where_another_host_has_that_port_another_local_port_is_taken(
    chain: ChainNat, gateway: _Gateway, puncher: _Puncher
) -> None:
    gateway.taken = {FIRST_LOCAL}
    chain.add_mapping(TCP, 443, 8080, "web", 600)
    assert gateway.table == {FIRST_LOCAL + 1: (FIRST_LOCAL + 1, None)}
    assert puncher.local == {8080: FIRST_LOCAL + 1}


def test_where_that_goes_on_the_conflict_is_told_and_nothing_is_left(
    chain: ChainNat, gateway: _Gateway, puncher: _Puncher
) -> None:
    gateway.taken = set(range(FIRST_LOCAL, FIRST_LOCAL + 10))
    with pytest.raises(Conflict, match="which this host needs for itself"):
        chain.add_mapping(TCP, 443, 8080, "web", 600)
    assert (gateway.table, puncher.local) == ({}, {})


def test_what_the_outermost_refuses_is_taken_back_at_the_gateway(
    chain: ChainNat, gateway: _Gateway, puncher: _Puncher
) -> None:
    puncher.refusal = Refused("the NAT maps by destination")
    with pytest.raises(Refused, match="hop 2 of 2"):
        chain.add_mapping(TCP, 0, 8080, "web", 600)
    assert (gateway.table, puncher.local) == ({}, {})


def test_what_an_earlier_session_left_at_the_gateway_is_deleted_for_its_port_was_another(
    chain: ChainNat, gateway: _Gateway, puncher: _Puncher
) -> None:
    token = chain.add_mapping(TCP, 0, 8080, "web", 600).token
    puncher.local.clear()  # as the end of the process does
    later = ChainNat([Nat(gateway, "gateway"), Nat(puncher, "puncher")], "chain")
    later.add_mapping(TCP, 0, 8080, "web", 600, token=token)
    assert gateway.table == {FIRST_LOCAL + 1: (FIRST_LOCAL + 1, None)}


@pytest.mark.parametrize(("internal_port", "client"), [(8080, OTHER_HOST), (1, None)])
def test_another_host_or_no_port_at_all_cannot_be_handed_on_to(
    chain: ChainNat, gateway: _Gateway, internal_port: int, client: Address | None
) -> None:
    with pytest.raises(Refused, match="hands on to a port of this host only"):
        chain.add_mapping(TCP, 0, internal_port, "web", 600, client=client)
    assert gateway.table == {}


def test_beyond_it_is_nothing(gateway: _Gateway, puncher: _Puncher) -> None:
    with pytest.raises(SpecError, match="so nothing is beyond it: name it last"):
        ChainNat([Nat(puncher, "puncher"), Nat(gateway, "gateway")], "chain")
