"""Ring 1: the words that everyone shares."""

from ipaddress import ip_address

import pytest

from portmap.errors import SpecError
from portmap.model import Key, PortRequest, Protocol, Scope, scope_of

TCP = Protocol.TCP


@pytest.mark.parametrize(
    ("address", "scope"),
    [
        ("1.2.3.4", Scope.PUBLIC),
        ("8.8.8.8", Scope.PUBLIC),
        ("9.255.255.255", Scope.PUBLIC),
        ("11.0.0.0", Scope.PUBLIC),
        ("172.15.255.255", Scope.PUBLIC),
        ("172.32.0.0", Scope.PUBLIC),
        ("192.167.255.255", Scope.PUBLIC),
        ("192.169.0.0", Scope.PUBLIC),
        ("100.63.255.255", Scope.PUBLIC),
        ("100.128.0.0", Scope.PUBLIC),
        ("223.255.255.255", Scope.PUBLIC),
        ("2606:4700::1", Scope.PUBLIC),
        ("::ffff:8.8.8.8", Scope.PUBLIC),
        ("10.0.0.0", Scope.PRIVATE),
        ("10.255.255.255", Scope.PRIVATE),
        ("172.16.0.1", Scope.PRIVATE),
        ("172.31.255.255", Scope.PRIVATE),
        ("192.168.0.0", Scope.PRIVATE),
        ("192.168.255.255", Scope.PRIVATE),
        ("fc00::1", Scope.PRIVATE),
        ("fdff::1", Scope.PRIVATE),
        ("::ffff:192.168.1.1", Scope.PRIVATE),
        ("100.64.0.0", Scope.CGNAT),
        ("100.127.255.255", Scope.CGNAT),
        ("::ffff:100.64.0.1", Scope.CGNAT),
        ("0.0.0.0", Scope.RESERVED),  # noqa: S104  # nothing is bound
        ("127.0.0.1", Scope.RESERVED),
        ("169.254.1.1", Scope.RESERVED),
        ("192.0.0.2", Scope.RESERVED),  # DS-Lite: RFC 6333 §5.7
        ("192.0.2.1", Scope.RESERVED),  # TEST-NET-1
        ("198.51.100.1", Scope.RESERVED),  # TEST-NET-2
        ("203.0.113.1", Scope.RESERVED),  # TEST-NET-3
        ("198.18.0.1", Scope.RESERVED),  # benchmarks
        ("224.0.0.1", Scope.RESERVED),
        ("239.255.255.250", Scope.RESERVED),
        ("233.252.0.1", Scope.RESERVED),  # multicast, though "global"
        ("240.0.0.1", Scope.RESERVED),
        ("255.255.255.255", Scope.RESERVED),
        ("::", Scope.RESERVED),
        ("::1", Scope.RESERVED),
        ("fe80::1", Scope.RESERVED),
        ("fe80::1%eth0", Scope.RESERVED),
        ("ff0e::1", Scope.RESERVED),  # multicast of global scope
        ("2001:db8::1", Scope.RESERVED),
        ("::ffff:127.0.0.1", Scope.RESERVED),
    ],
)
def test_an_address_has_the_scope_of_its_block(address: str, scope: Scope) -> None:
    assert scope_of(ip_address(address)) is scope


def test_an_address_not_learnt_yet_has_no_known_scope() -> None:
    assert scope_of(None) is Scope.UNKNOWN


def test_a_request_wants_ten_minutes_and_whatever_port_the_gateway_likes() -> None:
    request = PortRequest(TCP, 80)
    assert (request.external_port, request.lifetime, request.name) == (0, 600, "")


def test_a_request_is_known_by_protocol_and_internal_port() -> None:
    assert PortRequest(TCP, 80, 8080, "web").key == Key(TCP, 80)


@pytest.mark.parametrize("port", [0, -1, 65536, 10**30])
def test_an_internal_port_out_of_range_is_refused(port: int) -> None:
    with pytest.raises(SpecError, match=r"internal port .* use 1 to 65535"):
        PortRequest(TCP, port)


@pytest.mark.parametrize("port", [-1, 65536])
def test_an_external_port_out_of_range_is_refused(port: int) -> None:
    with pytest.raises(SpecError, match=r"external port .* use 1 to 65535"):
        PortRequest(TCP, 80, port)


@pytest.mark.parametrize("lifetime", [0, -1, 2**32])
def test_a_lifetime_out_of_range_is_refused(lifetime: int) -> None:
    with pytest.raises(SpecError, match=r"lifetime .* seconds"):
        PortRequest(TCP, 80, lifetime=lifetime)


@pytest.mark.parametrize("lifetime", [1, 2**32 - 1])
def test_every_lifetime_that_fits_in_32_bits_can_be_asked_for(lifetime: int) -> None:
    assert PortRequest(TCP, 80, lifetime=lifetime).lifetime == lifetime


def test_a_spec_error_is_a_value_error_too() -> None:
    with pytest.raises(ValueError, match="port"):
        PortRequest(TCP, 0)
