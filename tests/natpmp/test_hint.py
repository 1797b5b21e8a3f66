"""What is remembered of a gateway over a restart: one more to ask, if it may be one at all."""

from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest

from portmap.backends.nat import Nat
from portmap.errors import NoGateway, UnverifiedGateway
from portmap_natpmp import NatPmp, Timeouts
from portmap_natpmp.argument import hinted_gateway

if TYPE_CHECKING:
    from tests.natpmp.conftest import MakePeer, Peer

ADDRESS = "00 80 0000 00000005 c6336407"
GATEWAY = "127.0.0.3"
ELSEWHERE = IPv4Address("127.0.0.4")


@pytest.fixture
def gateway(peer: "MakePeer") -> "Peer":
    return peer(ADDRESS, address=GATEWAY)


@pytest.fixture
def natpmp(gateway: "Peer", patient: Timeouts) -> NatPmp:
    """One whose routes name no gateway."""
    return NatPmp(port=gateway.port, timeouts=patient, candidates=list, guesses=list, announced_at=())


def test_before_a_gateway_has_answered_there_is_no_hint() -> None:
    assert Nat(NatPmp(IPv4Address(GATEWAY)), "pmp").hint() == ""


def test_the_hint_is_the_gateways_address(gateway: "Peer", patient: Timeouts) -> None:
    backend = NatPmp(IPv4Address(GATEWAY), gateway.port, timeouts=patient, announced_at=())
    backend.external_ip()
    assert Nat(backend, "pmp").hint() == GATEWAY


def test_a_remembered_gateway_is_asked_though_no_route_names_it(natpmp: NatPmp) -> None:
    Nat(natpmp, "pmp").take_hint(GATEWAY)
    with pytest.raises(UnverifiedGateway):  # it is used, and its word on our address is not taken
        natpmp.external_ip()
    assert str(natpmp) == f"NAT-PMP {GATEWAY}"


def test_it_is_asked_beside_those_that_the_routes_name(gateway: "Peer", patient: Timeouts) -> None:
    backend = NatPmp(port=gateway.port, timeouts=patient, candidates=lambda: [IPv4Address(GATEWAY)], announced_at=())
    backend.take_hint(str(ELSEWHERE))
    backend.external_ip()
    assert str(backend) == f"NAT-PMP {GATEWAY}"


def test_it_is_asked_once(natpmp: NatPmp) -> None:
    natpmp.take_hint(str(ELSEWHERE))
    for words in ("127.0.0.4", "routing table names none"):
        with pytest.raises(NoGateway, match=words):
            natpmp.external_ip()


def test_a_gateway_that_was_given_is_the_only_one_that_is_asked(gateway: "Peer", impatient: Timeouts) -> None:
    backend = NatPmp(ELSEWHERE, gateway.port, timeouts=impatient, announced_at=())
    backend.take_hint(GATEWAY)
    with pytest.raises(NoGateway):
        backend.external_ip()
    assert gateway.heard_hex == []


@pytest.mark.parametrize("hint", ["", "x", "11.22.33.4", "8.8.8.8", "224.0.0.1", "fe80::1", "192.168.1.1:1"])
def test_an_address_that_no_home_gateway_has_is_not_asked(hint: str) -> None:
    assert hinted_gateway(hint) == ()


@pytest.mark.parametrize("hint", ["192.168.1.1", "10.0.0.1", "127.0.0.3"])
def test_a_private_address_is(hint: str) -> None:
    assert hinted_gateway(hint) == (IPv4Address(hint),)
