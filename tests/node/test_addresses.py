"""LocalNode: where address and ports come from. Rows with a name are go-ethereum's (p2p/enode)."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from tests.node.nodes import DISC, LOOPBACK, P2P, PUBLIC, PUBLIC_6, START, TCP, Clock, added, at, changed, hear, shown

from portmap.errors import SpecError
from portmap.events import (
    Event,
    ExternalIPFailed,
    GatewayLost,
    PortAdded,
    PortFailed,
    PortLost,
    PortRemoved,
    PortRenewed,
)
from portmap.model import Address, Key, PortRequest, scope_of
from portmap.node.local_node import LocalNode

PUBLIC_2 = IPv4Address("5.6.7.8")
WEB: Key = Key(TCP, 8080)


def lost(key: Key) -> Event:
    return PortLost(protocol=key[0], internal_port=key[1])


def removed(key: Key) -> Event:
    return PortRemoved(protocol=key[0], internal_port=key[1])


def peers_say(node: LocalNode, ip: Address, port: int, count: int = 10) -> None:
    for number in range(count):
        node.statement(IPv4Address("198.51.100.1") + number, ip, port)


# Static, predicted and fallback addresses (TestLocalNodeEndpoint).


def test_the_fallback_is_shown_for_want_of_better(node: LocalNode) -> None:
    node.set_fallback_ip(LOOPBACK)
    node.set_fallback_udp(30303)
    assert shown(node) == {"ip": LOOPBACK, "udp": 30303}
    assert node.record.seq == START + 1


def test_nine_statements_change_nothing_and_the_tenth_does(started: LocalNode) -> None:
    peers_say(started, PUBLIC, 50000, count=9)
    assert started.commit() is None
    peers_say(started, PUBLIC, 50000, count=10)
    assert shown(started) == {"ip": PUBLIC, "tcp": 30303, "udp": 50000}


def test_a_static_address_ends_prediction_of_address_and_port(started: LocalNode) -> None:
    peers_say(started, PUBLIC, 50000)
    started.set_static_ip(PUBLIC_2)
    assert shown(started) == {"ip": PUBLIC_2, "tcp": 30303, "udp": 30303}


def test_without_the_static_address_prediction_comes_back(started: LocalNode) -> None:
    """Q4: SetStaticIP(nil) clears the IPv6 side only and leaves a stale IPv4 address."""
    peers_say(started, PUBLIC, 50000)
    started.set_static_ip(PUBLIC_2)
    started.set_static_ip(None)
    assert shown(started)["ip"] == PUBLIC


def test_none_takes_back_the_addresses_of_both_families(node: LocalNode) -> None:
    for ip in (PUBLIC, PUBLIC_6):
        node.set_static_ip(ip)
        node.set_fallback_ip(ip)
    assert shown(node) == {"ip": PUBLIC, "ip6": PUBLIC_6}
    node.set_static_ip(None)
    node.set_fallback_ip(None)
    assert shown(node) == {}


def test_a_prediction_runs_out(started: LocalNode, clock: Clock) -> None:
    peers_say(started, PUBLIC, 50000)
    assert shown(started)["ip"] == PUBLIC
    clock.now += 5 * 60 * 1000 + 1
    assert shown(started)["ip"] == LOOPBACK


def test_the_unspecified_address_is_never_shown(started: LocalNode) -> None:
    started.set_static_ip(IPv4Address("0.0.0.0"))  # noqa: S104  # not bound to: it is the bad input
    started.set_static_ip(IPv6Address("::"))
    assert shown(started) == {"tcp": 30303, "udp": 30303}


def test_an_ipv4_address_in_ipv6_clothes_is_an_ipv4_address(node: LocalNode) -> None:
    node.set_static_ip(IPv6Address("::ffff:1.2.3.4"))
    assert shown(node) == {"ip": PUBLIC}


def test_a_zone_is_not_published(node: LocalNode) -> None:
    node.set_static_ip(IPv6Address("fe80::1%eth0"))
    assert shown(node) == {"ip6": IPv6Address("fe80::1")}


@pytest.mark.parametrize(("ip", "port"), [("0.0.0.0", 1), ("224.0.0.1", 1), ("1.2.3.4", 0), ("1.2.3.4", 65536)])  # noqa: S104
def test_what_peers_say_that_cannot_be_true_is_ignored(started: LocalNode, ip: str, port: int) -> None:
    peers_say(started, ip_address(ip), port)
    assert started.commit() is None


def test_a_mapped_port_outranks_a_predicted_one(started: LocalNode) -> None:
    """geth#29359: the port that peers see must not replace the one that is forwarded."""
    peers_say(started, PUBLIC, 50000)
    assert hear(started, added(DISC, 40002, ip=None))["udp"] == 40002


def test_contacts_and_statements_together_tell_a_full_cone(node: LocalNode) -> None:
    node.contact(IPv4Address("198.51.100.1"))
    peers_say(node, PUBLIC, 50000, count=1)
    assert not node.full_cone()
    peers_say(node, PUBLIC, 50000, count=2)
    assert node.full_cone()


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_fallback_port_out_of_range_is_the_users_error(node: LocalNode, port: int) -> None:
    with pytest.raises(SpecError, match="use a port from 1 to 65535"):
        node.set_fallback_udp(port)


def test_fallback_port_zero_takes_it_back(started: LocalNode) -> None:
    started.set_fallback_udp(0)
    assert "udp" not in shown(started)


# Following the loop.


def test_before_any_mapping_the_record_keeps_the_local_ports(started: LocalNode) -> None:
    assert shown(started) == {"ip": LOOPBACK, "tcp": 30303, "udp": 30303}


def test_address_and_mapped_ports_take_the_place_of_the_local_ones(started: LocalNode) -> None:
    entries = hear(started, at(PUBLIC), added(P2P, 40001), added(DISC, 40002))
    assert entries == {"ip": PUBLIC, "tcp": 40001, "udp": 40002}


@pytest.mark.parametrize("ip", ["192.168.1.2", "10.0.0.1", "100.64.0.1", "192.0.2.1", "fd00::1", "169.254.1.1"])
def test_an_address_that_is_not_public_is_not_published(started: LocalNode, ip: str) -> None:
    """Q5: behind two NATs geth advertises the inner one's private address as the truth."""
    assert hear(started, at(ip_address(ip)))["ip"] == LOOPBACK


def test_a_public_address_that_becomes_private_leaves_the_record(started: LocalNode) -> None:
    hear(started, at(PUBLIC))
    assert hear(started, at(IPv4Address("192.168.1.2")))["ip"] == LOOPBACK


def test_a_private_address_of_the_gateway_leaves_prediction_on(started: LocalNode) -> None:
    peers_say(started, PUBLIC, 50000)
    assert hear(started, at(IPv4Address("192.168.1.2")))["ip"] == PUBLIC


def test_the_owners_word_outranks_the_gateways(started: LocalNode) -> None:
    started.set_static_ip(IPv4Address("192.168.1.2"))
    assert hear(started, at(PUBLIC))["ip"] == IPv4Address("192.168.1.2")


def test_a_gateway_that_states_an_address_of_the_other_family_takes_back_the_first(node: LocalNode) -> None:
    assert hear(node, at(PUBLIC), at(PUBLIC_6)) == {"ip6": PUBLIC_6}


def test_an_address_that_is_no_longer_known_leaves_the_record(node: LocalNode) -> None:
    assert hear(node, at(PUBLIC), at(None)) == {}


def test_a_local_port_is_never_published_at_the_gateways_address(started: LocalNode) -> None:
    """Q6: geth advertises the public address with ports that could not be mapped."""
    assert hear(started, at(PUBLIC)) == {"ip": PUBLIC}


def test_a_mapping_that_lapses_leaves_the_record(started: LocalNode) -> None:
    """Q11: geth goes on advertising a dead TCP port for ever."""
    hear(started, at(PUBLIC), added(P2P, 40001), added(DISC, 40002))
    assert hear(started, lost(P2P)) == {"ip": PUBLIC, "udp": 40002}


def test_a_lapsed_mapping_does_not_bring_the_local_port_back(started: LocalNode) -> None:
    hear(started, added(P2P, 40001, ip=None), added(DISC, 40002, ip=None), lost(P2P), removed(DISC))
    assert shown(started) == {"ip": LOOPBACK}


def test_a_mapping_that_comes_back_is_published_again(started: LocalNode) -> None:
    hear(started, at(PUBLIC), added(P2P, 40001), lost(P2P))
    assert hear(started, added(P2P, 40009))["tcp"] == 40009


def test_another_external_port_takes_the_place_of_the_first(started: LocalNode) -> None:
    assert hear(started, at(PUBLIC), added(P2P, 40001), changed(P2P, 40009))["tcp"] == 40009


def test_of_several_mappings_the_first_that_came_up_holds_the_entry(node: LocalNode) -> None:
    assert hear(node, added(WEB, 80), added(P2P, 40001))["tcp"] == 80


def test_when_the_first_changes_its_port_it_still_holds_the_entry(node: LocalNode) -> None:
    assert hear(node, added(WEB, 80), added(P2P, 40001), changed(WEB, 81))["tcp"] == 81


def test_when_the_holder_goes_the_next_that_is_up_takes_the_entry(node: LocalNode) -> None:
    assert hear(node, added(WEB, 80), added(P2P, 40001), lost(WEB))["tcp"] == 40001


def test_a_holder_that_comes_back_waits_its_turn(node: LocalNode) -> None:
    assert hear(node, added(WEB, 80), added(P2P, 40001), lost(WEB), added(WEB, 80))["tcp"] == 40001


def test_when_the_last_mapping_goes_the_entry_is_gone(node: LocalNode) -> None:
    assert hear(node, added(WEB, 80), added(P2P, 40001), removed(WEB), lost(P2P)) == {}


def test_one_that_does_not_hold_the_entry_goes_unseen(node: LocalNode) -> None:
    hear(node, added(WEB, 80), added(P2P, 40001))
    node.apply(removed(P2P))
    assert node.commit() is None


def test_a_static_mapping_is_published_like_any_other(started: LocalNode) -> None:
    started.set_static_ip(PUBLIC)
    by_hand = PortAdded(protocol=TCP, internal_port=30303, external_port=443, external_ip=PUBLIC, static=True)
    assert hear(started, by_hand) == {"ip": PUBLIC, "tcp": 443, "udp": 30303}


def test_an_expected_port_that_is_no_longer_wanted_leaves_the_record(started: LocalNode) -> None:
    assert hear(started, removed(P2P)) == {"ip": LOOPBACK, "udp": 30303}


def test_of_several_expected_ports_the_first_is_shown(node: LocalNode) -> None:
    node.expect_port(PortRequest(WEB.protocol, WEB.internal_port))
    node.expect_port(PortRequest(P2P.protocol, P2P.internal_port))
    assert shown(node) == {"tcp": 8080}


def test_events_that_say_nothing_of_our_reach_change_nothing(started: LocalNode) -> None:
    hear(started, at(PUBLIC), added(P2P, 40001))
    started.apply(GatewayLost(gateway="a gateway"))
    started.apply(ExternalIPFailed(external_ip=None, scope=scope_of(None)))
    started.apply(PortFailed(protocol=TCP, internal_port=30303, reason="refused"))
    started.apply(PortRenewed(protocol=TCP, internal_port=30303, external_port=40001, lifetime=600))
    assert started.commit() is None


def test_a_failed_renewal_keeps_the_port_and_a_failed_first_try_the_local_one(started: LocalNode) -> None:
    entries = hear(started, added(P2P, 40001, ip=None), PortFailed(protocol=TCP, internal_port=30303))
    assert entries == {"ip": LOOPBACK, "tcp": 40001, "udp": 30303}


def test_a_mapping_without_a_port_is_not_up(node: LocalNode) -> None:
    assert hear(node, added(P2P, 40001), changed(P2P, 0)) == {}


# Two families.


def test_an_ipv4_nats_port_is_not_told_to_ipv6_peers(started: LocalNode) -> None:
    """Q9: geth writes mapped IPv4 ports as if IPv6 peers were to use them."""
    started.set_static_ip(PUBLIC_6)
    entries = hear(started, at(PUBLIC), added(P2P, 40001), added(DISC, 40002))
    assert (entries["tcp"], entries["tcp6"]) == (40001, 30303)
    assert (entries["udp"], entries["udp6"]) == (40002, 30303)


def test_udp6_is_written_only_where_it_differs(started: LocalNode) -> None:
    started.set_static_ip(PUBLIC_6)
    assert shown(started) == {"ip": LOOPBACK, "ip6": PUBLIC_6, "tcp": 30303, "udp": 30303}


def test_no_ipv6_port_is_written_without_an_ipv6_address(started: LocalNode) -> None:
    assert hear(started, at(PUBLIC), added(DISC, 40002)) == {"ip": PUBLIC, "udp": 40002}


def test_an_ipv6_mapping_alone_is_told_in_the_plain_entries(node: LocalNode) -> None:
    entries = hear(node, at(PUBLIC_6), added(P2P, 40001, ip=PUBLIC_6), added(DISC, 40002, ip=PUBLIC_6))
    assert entries == {"ip6": PUBLIC_6, "tcp": 40001, "udp": 40002}


def test_a_mapping_that_moves_to_the_other_family_leaves_the_first(node: LocalNode) -> None:
    hear(node, at(PUBLIC), added(P2P, 40001))
    assert hear(node, at(PUBLIC_6), changed(P2P, 40009, ip=PUBLIC_6)) == {"ip6": PUBLIC_6, "tcp": 40009}


def test_an_ipv4_mapping_that_lapses_leaves_the_ipv6_port_alone(started: LocalNode) -> None:
    started.set_static_ip(PUBLIC_6)
    entries = hear(started, at(PUBLIC), added(DISC, 40002), lost(DISC))
    assert entries == {"ip": PUBLIC, "ip6": PUBLIC_6, "tcp6": 30303, "udp6": 30303}


def test_predictions_of_the_two_families_are_apart(node: LocalNode) -> None:
    peers_say(node, PUBLIC, 50000)
    peers_say(node, PUBLIC_6, 50006)
    assert shown(node) == {"ip": PUBLIC, "ip6": PUBLIC_6, "udp": 50000, "udp6": 50006}
