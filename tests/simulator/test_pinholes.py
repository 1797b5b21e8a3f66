"""The simulated router's IPv6 pinholes: PCP."""

from dataclasses import replace
from ipaddress import IPv6Address

import pytest
from tests.simulator.pinhole_requests import NEIGHBOUR, NONCE, NOW, OTHER_NONCE, REQUEST, US, opened, state

from portmap.simulator.pcp.packets import HEAD, Announce, Map, Option, OptionCode, PcpResult
from portmap.simulator.pcp.server import answer
from portmap.simulator.state import RouterState
from portmap.testing import Quirks

PREFER_FAILURE = Option(OptionCode.PREFER_FAILURE)


def pcp(request: Map | Announce, to: RouterState, client: str = US, now: float = NOW) -> tuple[int, int]:
    """PcpResult and lifetime."""
    data = answer(request, client, to, now)
    return data[3], int.from_bytes(data[4:8])


def test_a_map_by_ipv6_is_a_pinhole_and_no_mapping() -> None:
    router = state()
    assert pcp(REQUEST, router) == (PcpResult.SUCCESS, 600)
    assert opened(router) == [("TCP", US, 8080, 600)]
    assert router.table.alive(NOW) == ()


def test_external_address_and_port_are_the_clients_own_whatever_it_suggests() -> None:
    body = answer(replace(REQUEST, external_port=99, external_ip=IPv6Address(NEIGHBOUR)), US, state(), NOW)[HEAD:]
    assert (int.from_bytes(body[18:20]), IPv6Address(body[20:36])) == (8080, IPv6Address(US))


def test_a_request_from_another_address_gets_nothing() -> None:
    router = state()
    assert pcp(REQUEST, router, client=NEIGHBOUR)[0] == PcpResult.ADDRESS_MISMATCH
    assert opened(router) == []


def test_a_link_local_sender_is_known_without_its_zone() -> None:
    assert pcp(Announce(IPv6Address("fe80::2")), state(), client="fe80::2%eth0")[0] == PcpResult.SUCCESS


def test_a_renewal_needs_the_nonce_and_so_does_the_end() -> None:
    router = state()
    pcp(REQUEST, router)
    assert pcp(replace(REQUEST, nonce=OTHER_NONCE), router) == (PcpResult.NOT_AUTHORIZED, 600)
    assert pcp(replace(REQUEST, nonce=OTHER_NONCE, lifetime=0), router)[0] == PcpResult.NOT_AUTHORIZED
    assert pcp(replace(REQUEST, lifetime=900), router) == (PcpResult.SUCCESS, 900)
    assert pcp(replace(REQUEST, lifetime=0), router)[0] == PcpResult.SUCCESS
    assert opened(router) == []


def test_port_zero_shuts_all_of_the_protocol_that_this_nonce_opened() -> None:
    router = state()
    for requested in (
        REQUEST,
        replace(REQUEST, internal_port=8081),
        replace(REQUEST, internal_port=8082, nonce=OTHER_NONCE),
    ):
        pcp(requested, router)
    assert pcp(replace(REQUEST, internal_port=0, lifetime=0), router)[0] == PcpResult.SUCCESS
    assert opened(router) == [("TCP", US, 8082, 600)]


def test_a_pinhole_ends_with_its_lease() -> None:
    router = state()
    pcp(REQUEST, router)
    assert opened(router, NOW + 599)
    assert not opened(router, NOW + 600)


@pytest.mark.parametrize(
    ("quirks", "result"),
    [
        (Quirks(no_pinholes=True), PcpResult.NOT_AUTHORIZED),
        (Quirks(pinholes_forbidden=True), PcpResult.NOT_AUTHORIZED),
        (Quirks(pcp_result=8), PcpResult.NO_RESOURCES),
        (Quirks(full_table=True), PcpResult.NO_RESOURCES),
        (Quirks(no_wan=True), PcpResult.NETWORK_FAILURE),
        (Quirks(no_port_zero=True), PcpResult.NO_RESOURCES),
    ],
)
def test_a_refusal_opens_nothing(quirks: Quirks, result: PcpResult) -> None:
    router = state(quirks)
    assert pcp(REQUEST, router)[0] == result
    assert opened(router) == []


def test_a_port_under_1024_may_be_refused() -> None:
    assert pcp(replace(REQUEST, internal_port=80), state(Quirks(high_ports_only=True)))[0] == PcpResult.NOT_AUTHORIZED


def test_prefer_failure_fails_for_what_is_not_the_clients_own() -> None:
    other = replace(REQUEST, external_port=99, options=(PREFER_FAILURE,))
    assert pcp(other, state())[0] == PcpResult.CANNOT_PROVIDE_EXTERNAL
    assert pcp(replace(other, external_port=8080), state())[0] == PcpResult.SUCCESS


def test_quirks_of_answers_are_those_of_ipv4() -> None:
    assert pcp(REQUEST, state(Quirks(caps_lifetime=60))) == (PcpResult.SUCCESS, 60)
    assert answer(REQUEST, US, state(Quirks(wrong_nonce=True)), NOW)[HEAD : HEAD + 12] != NONCE
    assert len(answer(REQUEST, US, state(Quirks(pcp_result=2, short_errors=True)), NOW)) == HEAD
    assert opened_after_map(Quirks(success_without_effect=True)) == []
    assert opened_after_map(Quirks(prunes=10.0), NOW + 11) == []


def opened_after_map(quirks: Quirks, now: float = NOW) -> list[tuple[str, str, int, int]]:
    router = state(quirks)
    assert pcp(REQUEST, router)[0] == PcpResult.SUCCESS
    return opened(router, now)
