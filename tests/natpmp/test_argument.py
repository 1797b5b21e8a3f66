from ipaddress import IPv4Address

import pytest

from portmap.errors import SpecError
from portmap.syntax.plugin_specs import parse_spec
from portmap_natpmp import NatPmp
from portmap_natpmp.argument import parse_gateway


@pytest.mark.parametrize(
    ("spec", "shown"),
    [
        ("pmp", "NAT-PMP"),
        ("natpmp", "NAT-PMP"),
        ("nat-pmp", "NAT-PMP"),
        ("PMP", "NAT-PMP"),
        ("pmp:192.168.1.1", "NAT-PMP 192.168.1.1"),
        ("Nat-PMP:10.0.0.1", "NAT-PMP 10.0.0.1"),
        ("natpmp:100.64.0.1", "NAT-PMP 100.64.0.1"),
        ("pmp:1.2.3.4", "NAT-PMP 1.2.3.4"),
        ("pmp:::ffff:192.168.1.1", "NAT-PMP 192.168.1.1"),
        ("pmp:127.0.0.1", "NAT-PMP 127.0.0.1"),
    ],
)
def test_what_geth_accepts_is_accepted_with_geths_meaning(spec: str, shown: str) -> None:
    assert str(NatPmp.from_argument(parse_spec(spec).argument)) == shown


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ("pmp:", "missing"),
        ("pmp:192.168.1.1:5351", "has a port, but NAT-PMP is always spoken on 5351"),
        ("pmp:[fe80::1]:5351", "has a port"),
        ("pmp:router.lan:5351", "has a port"),
        ("pmp:router.lan", "names are not looked up"),
        ("pmp:foo", "names are not looked up"),
        ("pmp:192.168.1", "no IP address"),
        ("pmp:192.168.1.01", "no IP address"),
        ("pmp:192.168.1.256", "no IP address"),
        ("pmp:192.168.1.1/24", "no IP address"),
        ("pmp:http://192.168.1.1/", "no IP address"),
        ("pmp:[fe80::1]", "no IP address"),
        ("pmp:192.168.1.1%eth0", "has a zone"),
        ("pmp:fe80::1", "NAT-PMP is an IPv4 protocol"),
        ("pmp:fe80::1%eth0", "NAT-PMP is an IPv4 protocol"),
        ("pmp:::1", "NAT-PMP is an IPv4 protocol"),
        ("pmp:::ffff:192.168.1.1%eth0", "NAT-PMP is an IPv4 protocol"),
        ("pmp:0.0.0.0", "unspecified"),
        ("pmp:::", "NAT-PMP is an IPv4 protocol"),
        ("pmp:::ffff:0.0.0.0", "unspecified"),
        ("pmp:224.0.0.1", "multicast"),
        ("pmp:255.255.255.255", "broadcast"),
    ],
)
def test_nonsense_is_refused_with_its_reason(spec: str, complaint: str) -> None:
    with pytest.raises(SpecError, match=complaint):
        NatPmp.from_argument(parse_spec(spec).argument)


def test_every_refusal_shows_what_to_write() -> None:
    for argument in ("", "router.lan", "fe80::1", "0.0.0.0", "224.0.0.1", "255.255.255.255"):  # noqa: S104  # refused
        with pytest.raises(SpecError, match=r"pmp:192\.168\.1\.1"):
            parse_gateway(argument)


def test_the_gateway_is_an_address_not_a_text() -> None:
    assert parse_gateway("192.168.1.1") == IPv4Address("192.168.1.1")
