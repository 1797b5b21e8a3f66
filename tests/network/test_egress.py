"""Whether our traffic leaves through the gateway that maps our ports, as the kernel's routes tell it."""

from ipaddress import IPv4Address

import pytest

from portmap.errors import NoGateway
from portmap.network import egress
from portmap.network.egress import egress_note, leaves_elsewhere

ROUTER, POINT, US, VPN = map(IPv4Address, ("192.168.1.1", "192.168.1.2", "192.168.1.20", "10.2.0.2"))
OUTSIDE = IPv4Address("192.0.2.1")


@pytest.mark.parametrize(
    ("outward", "towards", "elsewhere"),
    [
        (US, US, False),
        (VPN, US, True),
        (None, US, False),
        (US, None, False),
        (US, IPv4Address("127.0.0.1"), False),
    ],
)
def test_two_addresses_of_ours_mean_two_ways_out(
    outward: IPv4Address | None, towards: IPv4Address | None, elsewhere: bool
) -> None:
    assert leaves_elsewhere(outward, towards) is elsewhere


def routes(monkeypatch: pytest.MonkeyPatch, ours: dict[IPv4Address, IPv4Address], routers: list[IPv4Address]) -> None:
    def local_address_to(peer: IPv4Address, _interface: str | None) -> IPv4Address:
        if peer not in ours:
            raise NoGateway("no way")
        return ours[peer]

    monkeypatch.setattr(egress, "local_address_to", local_address_to)
    monkeypatch.setattr(egress, "default_gateways", lambda _: routers)


def test_a_vpn_that_takes_the_traffic_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    routes(monkeypatch, {ROUTER: US, OUTSIDE: VPN}, [ROUTER])
    assert egress_note("NAT-PMP 192.168.1.1").startswith("traffic leaves from 10.2.0.2")


def test_an_access_point_that_maps_ports_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    routes(monkeypatch, {ROUTER: US, POINT: US, OUTSIDE: US}, [ROUTER])
    assert egress_note("UPnP 192.168.1.2").startswith("traffic leaves through 192.168.1.1, not through 192.168.1.2")


def test_a_server_on_the_internet_is_no_gateway_beside_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    server = IPv4Address("9.9.9.9")
    routes(monkeypatch, {ROUTER: US, server: US, OUTSIDE: US}, [ROUTER])
    assert egress_note("hole punching by 9.9.9.9:3478+stun.example.org:3478") == ""


@pytest.mark.parametrize("name", ["NAT-PMP 192.168.1.1", "UPnP", "extip"])
def test_at_home_nothing_is_noted(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    routes(monkeypatch, {ROUTER: US, OUTSIDE: US}, [ROUTER])
    assert egress_note(name) == ""


def test_a_vpns_own_gateway_is_not_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = IPv4Address("10.2.0.1")
    routes(monkeypatch, {ROUTER: US, gateway: VPN, OUTSIDE: VPN}, [ROUTER])
    assert egress_note("ProtonVPN 10.2.0.1") == ""


def test_without_a_network_nothing_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    routes(monkeypatch, {}, [])
    assert egress_note("NAT-PMP 192.168.1.1") == ""
