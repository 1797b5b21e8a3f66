"""NAT-PMP maps to whom the gateway sees: an inner gateway that is in between, and never another host of our network."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

import pytest
from tests.natpmp.packets import GRANT, HERE

from portmap.errors import Refused
from portmap.model import Address, Protocol
from portmap_natpmp import NatPmp, Timeouts
from portmap_natpmp.mapped_host import check_is_seen_as
from portmap_natpmp.protonvpn import ProtonVpn

if TYPE_CHECKING:
    from tests.natpmp.conftest import MakePeer, Peer

INNER, NEIGHBOUR = IPv4Address("192.168.0.5"), IPv4Address("192.168.1.50")
OUTER = IPv4Address("192.168.0.1")
TalkTo = Callable[["Peer"], NatPmp]


def is_on_link(address: IPv4Address) -> bool:
    return str(address).startswith("192.168.1.")


@pytest.fixture
def talk_to(patient: Timeouts) -> TalkTo:
    return lambda gateway: NatPmp(HERE, gateway.port, timeouts=patient, announced_at=(), is_on_link=is_on_link)


def test_through_an_inner_gateway_the_outer_one_is_asked_as_ever(peer: "MakePeer", talk_to: TalkTo) -> None:
    gateway = peer(GRANT, "00 82 0000 00000005 765f 0000 00000000")
    backend = talk_to(gateway)
    assert backend.add_mapping(Protocol.TCP, 0, 30303, 600, INNER).external_port == 30303
    backend.delete_mapping(Protocol.TCP, 30303, 30303, INNER)
    assert len(gateway.heard) == 2


def test_for_another_host_of_our_network_nothing_is_asked(peer: "MakePeer", talk_to: TalkTo) -> None:
    gateway = peer(GRANT)
    backend = talk_to(gateway)
    with pytest.raises(Refused, match=r"only for the host that asks, not for 192\.168\.1\.50"):
        backend.add_mapping(Protocol.TCP, 0, 30303, 600, NEIGHBOUR)
    with pytest.raises(Refused):
        backend.delete_mapping(Protocol.TCP, 30303, 30303, NEIGHBOUR)
    assert not gateway.heard


@pytest.mark.parametrize(
    ("client", "given"),
    [
        (NEIGHBOUR, OUTER),
        (INNER, IPv4Address("192.168.1.1")),
        (INNER, None),
        (IPv6Address("fd00::1"), OUTER),
    ],
    ids=["a neighbour", "a gateway on our link", "a gateway that was found", "IPv6"],
)
def test_a_client_that_the_gateway_cannot_see_is_refused(client: Address, given: IPv4Address | None) -> None:
    with pytest.raises(Refused):
        check_is_seen_as(client, given, is_on_link)


@pytest.mark.parametrize(("client", "given"), [(None, None), (None, OUTER), (INNER, OUTER)])
def test_a_client_that_the_gateway_sees_is_accepted(client: Address | None, given: IPv4Address | None) -> None:
    check_is_seen_as(client, given, is_on_link)


def test_protonvpn_maps_for_this_host_only() -> None:
    backend = ProtonVpn(is_on_link=lambda _: True)
    with pytest.raises(Refused):
        backend.add_mapping(Protocol.TCP, 0, 0, 60, INNER)
