"""The addresses in the names of gateways: which gateway it is, whatever the protocol."""

from ipaddress import IPv4Address

import pytest

from portmap.gateway_names import gateway_address, ipv4_gateway_address, is_same_gateway

ROUTER = IPv4Address("192.168.1.1")
CHAIN = "UPnP 192.168.1.1 (IGD:1), beyond it NAT-PMP 10.0.0.1"


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("NAT-PMP 192.168.1.1", "192.168.1.1"),
        ("UPnP 192.168.1.1 (IGD:2)", "192.168.1.1"),
        ("PCP fe80::1%eth0", "fe80::1%eth0"),
        ("UPnP [fd00::1] (IGD:2)", "fd00::1"),
        ("Acme at http://192.168.1.1:5000/", "192.168.1.1"),
        (CHAIN, "192.168.1.1"),
        ("Acme in the cellar", ""),
    ],
)
def test_a_gateway_is_known_by_its_address(name: str, address: str) -> None:
    assert gateway_address(name) == address


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("NAT-PMP 192.168.1.1", ROUTER),
        ("UPnP 192.168.1.1 (IGD:1)", ROUTER),
        ("Acme fd00::1, 192.168.1.1", ROUTER),
        ("UPnP", None),
        ("PCP fe80::1%eth0", None),
        ("version 1.2.3.4.5", None),
        ("Acme 999.1.1.1", None),
    ],
)
def test_the_ipv4_address_in_a_gateways_name_is_read(name: str, address: IPv4Address | None) -> None:
    assert ipv4_gateway_address(name) == address


@pytest.mark.parametrize(
    ("name", "other", "same"),
    [
        ("NAT-PMP 192.168.1.1", "UPnP 192.168.1.1 (IGD:1)", True),
        ("NAT-PMP 192.168.1.1", "NAT-PMP 192.168.1.2", False),
        (CHAIN, "PCP 192.168.1.1, beyond it PCP 10.0.0.1", True),
        (CHAIN, "UPnP 192.168.1.9 (IGD:1), beyond it NAT-PMP 10.0.0.1", False),
        (CHAIN, "UPnP 192.168.1.1 (IGD:1)", False),
        (CHAIN, "NAT-PMP 10.0.0.1", False),
        ("Acme in the cellar", "Acme in the cellar", True),
        ("Acme in the cellar", "Acme in the attic", False),
    ],
)
def test_two_names_are_of_one_gateway_where_all_their_addresses_are_the_same(name: str, other: str, same: bool) -> None:
    assert is_same_gateway(name, other) is same
