"""What STUN servers are believed of how a NAT maps and filters: servers on loopback, without a NAT."""

from collections.abc import Iterator
from ipaddress import IPv4Address

import pytest
from tests.punch.stun_peer import Place, StunPeer

from portmap.doctor.probes.nat_type import measure_nat
from portmap.reachability import nat_probe
from portmap.reachability.nat_probe import NatProbe
from portmap.reachability.nat_type import Behaviour, NatType
from portmap.wire.stun.servers import Server


@pytest.fixture
def peers(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[StunPeer, StunPeer]]:
    monkeypatch.setattr(nat_probe, "ANSWER", 0.2)
    with StunPeer() as one, StunPeer() as two:
        yield one, two


def measured(*peers: StunPeer) -> NatType:
    return NatProbe(peers[0].peer, peers[1].peer, IPv4Address("127.0.0.1")).measure()


def test_a_server_that_passes_over_the_wish_for_another_address_says_nothing_of_filters(
    peers: tuple[StunPeer, StunPeer],
) -> None:
    peers[0].other = peers[1].peer
    found = measured(*peers)
    assert found.mapping is Behaviour.ENDPOINT_INDEPENDENT
    assert found.filtering is Behaviour.UNKNOWN


def test_an_external_address_that_nothing_can_be_sent_to_costs_nothing_else(
    peers: tuple[StunPeer, StunPeer],
) -> None:
    for peer in peers:
        peer.sees = lambda _: ("255.255.255.254", 5000)
    found = measured(*peers)
    assert found.mapping is Behaviour.ENDPOINT_INDEPENDENT
    assert found.loops_back is None


@pytest.mark.parametrize("other", [("2001:db8::1", 3479), ("192.168.1.1", 3479), ("127.0.0.1", 0)])
def test_a_second_address_that_cannot_be_one_costs_nothing_else(peers: tuple[StunPeer, StunPeer], other: Place) -> None:
    peers[0].other = other
    found = measured(*peers)
    assert found.mapping is Behaviour.ENDPOINT_INDEPENDENT
    assert found.filtering is Behaviour.UNKNOWN


def test_two_names_of_one_server_do_not_show_how_the_nat_maps(peers: tuple[StunPeer, StunPeer]) -> None:
    one = peers[0]
    found = measure_nat((Server(one.address, one.port), Server(one.address, peers[1].port)))
    assert isinstance(found, str)
    assert "are at one address" in found
