from ipaddress import IPv4Address, IPv6Address

import pytest

from portmap.errors import SpecError
from portmap.syntax.plugin_specs import parse_spec
from portmap_pcp import Pcp, PcpPinholes
from portmap_pcp.argument import parse_gateway


@pytest.mark.parametrize(
    ("spec", "shown"),
    [
        ("pcp", "PCP"),
        ("PCP", "PCP"),
        ("pcp:192.168.1.1", "PCP 192.168.1.1"),
        ("pcp:::ffff:192.168.1.1", "PCP 192.168.1.1"),
        ("pcp:fe80::1%eth0", "PCP fe80::1%eth0"),
        ("pcp:2a00:77::1", "PCP 2a00:77::1"),
        ("pcp:::1", "PCP ::1"),
    ],
)
def test_what_makes_sense_is_accepted(spec: str, shown: str) -> None:
    assert str(Pcp.from_argument(parse_spec(spec).argument)) == shown
    assert str(Pcp.race_from_argument(parse_spec(spec).argument)) == shown


def test_an_ipv6_gateway_is_one_for_pinholes() -> None:
    assert isinstance(Pcp.from_argument("fe80::1%eth0"), PcpPinholes)
    assert isinstance(Pcp.from_argument("192.168.1.1"), Pcp)


@pytest.mark.parametrize(
    ("argument", "complaint"),
    [
        ("", "missing"),
        ("192.168.1.1:5351", "has a port, but PCP is always spoken on 5351"),
        ("[fe80::1]:5351", "has a port"),
        ("router.lan", "names are not looked up"),
        ("192.168.1", "no IP address"),
        ("192.168.1.1/24", "no IP address"),
        ("192.168.1.1%eth0", "no IP address"),
        ("fe80::1", "lacks its zone"),
        ("2a00:77::1%eth0", "only link-local addresses"),
        ("fe80::1%a b", "no interface's name"),
        ("fe80::1%a\ud800", "no interface's name"),
        ("fe80::1%" + "x" * 65, "no interface's name"),
        ("0.0.0.0", "unspecified"),  # noqa: S104  # not bound to
        ("::", "unspecified"),
        ("::ffff:0.0.0.0", "unspecified"),
        ("224.0.0.1", "group's"),
        ("ff02::1", "group's"),
        ("255.255.255.255", "group's"),
    ],
)
def test_nonsense_is_refused_with_its_reason_and_what_to_write(argument: str, complaint: str) -> None:
    with pytest.raises(SpecError, match=complaint) as caught:
        Pcp.from_argument(argument)
    assert "pcp:192.168.1.1" in str(caught.value)


def test_the_gateway_is_an_address_not_a_text() -> None:
    assert parse_gateway("192.168.1.1") == IPv4Address("192.168.1.1")
    assert parse_gateway("fe80::1%eth0") == IPv6Address("fe80::1%eth0")


# the IPv6 side


def test_without_an_argument_the_ipv6_side_looks_for_its_router() -> None:
    assert str(Pcp.ipv6_from_argument(None)) == "PCP IPv6"


def test_the_ipv6_side_takes_an_ipv6_gateway() -> None:
    assert str(Pcp.ipv6_from_argument("fe80::1%eth0")) == "PCP fe80::1%eth0"


def test_an_ipv4_gateway_has_no_ipv6_side() -> None:
    with pytest.raises(SpecError, match="IPv4 address"):
        Pcp.ipv6_from_argument("192.168.1.1")
