"""LanHosts: which address a mapping to another host leads to, and to which none is made."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address

import pytest

from portmap.errors import NoGateway, Refused
from portmap.model import Address
from portmap.network.lan_hosts import LanHosts

GATEWAY = "UPnP 192.168.1.1 (a router)"
LAN = IPv4Network("192.168.1.0/24")
OURS = IPv4Address("192.168.1.2")
NAMES: dict[str, list[Address]] = {
    "nas.lan": [IPv6Address("fd00::5"), IPv4Address("192.168.1.50"), IPv4Address("192.168.1.51")],
    "both.lan": [IPv4Address("8.8.8.8"), IPv4Address("192.168.1.50")],
    "six.lan": [IPv6Address("fd00::5")],
    "far.lan": [IPv4Address("8.8.8.8")],
}


def look_up(name: str) -> Sequence[Address]:
    if name not in NAMES:
        raise NoGateway(f"{name} has no address")
    return NAMES[name]


def own_address_to(address: IPv4Address) -> IPv4Address:
    if address.is_loopback:
        return IPv4Address("127.0.0.1")
    if address in LAN:
        return OURS
    raise NoGateway("no route")


def address_of(host: str, gateway: str = GATEWAY, routers: Sequence[str] = ("192.168.1.254",)) -> str:
    hosts = LanHosts(
        look_up,
        lambda address: LAN if address in LAN else None,
        lambda: [IPv4Address(router) for router in routers],
        own_address_to,
    )
    return str(hosts.address_of(host, gateway))


def test_an_address_of_our_network_is_taken_as_it_is() -> None:
    assert address_of("192.168.1.50") == "192.168.1.50"


def test_a_name_is_looked_up_and_its_first_address_that_will_do_is_taken() -> None:
    assert address_of("nas.lan") == "192.168.1.50"
    assert address_of("both.lan") == "192.168.1.50"


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("192.168.1.1", "192.168.1.1 is a router"),
        ("192.168.1.254", "192.168.1.254 is a router"),
        ("192.168.1.2", "192.168.1.2 is this computer"),
        ("192.168.1.0", "is no host of 192.168.1.0/24"),
        ("192.168.1.255", "is no host of 192.168.1.0/24"),
        ("192.168.2.5", "is in no network that this computer is connected to"),
        ("8.8.8.8", "is not of a private network"),
        ("100.64.0.5", "is not of a private network"),
        ("169.254.1.1", "is not of a private network"),
        ("127.0.0.5", "is not of a private network"),
        ("far.lan", "8.8.8.8 is not of a private network"),
        ("six.lan", "six.lan has no IPv4 address"),
        ("gone.lan", "gone.lan has no address"),
    ],
)
def test_a_mapping_is_made_to_no_other_address_and_the_reason_is_told(host: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        address_of(host)


def test_behind_a_chain_the_innermost_gateway_is_no_host() -> None:
    with pytest.raises(Refused, match="is a router"):
        address_of("192.168.1.1", "NAT-PMP 192.168.1.1, beyond it NAT-PMP 10.0.0.1", routers=())


def test_where_the_gateway_is_simulated_on_loopback_so_are_its_hosts() -> None:
    assert address_of("127.0.0.5", "NAT-PMP 127.0.0.77") == "127.0.0.5"
    with pytest.raises(Refused, match="is a router"):
        address_of("127.0.0.77", "NAT-PMP 127.0.0.77")
    with pytest.raises(Refused, match="is this computer"):
        address_of("127.0.0.1", "NAT-PMP 127.0.0.77")


def test_by_a_chosen_interface_a_host_must_be_in_its_network() -> None:
    hosts = LanHosts(look_up, routers=list, own_address_to=own_address_to, interface="lo")
    with pytest.raises(Refused, match="is in no network that this computer is connected to by lo"):
        hosts.address_of("192.168.1.50", GATEWAY)
