"""The main job: bytes sent from the internet to the router's outer address arrive at the LAN host's service."""

import pytest
from tests.lab.command import Portmap
from tests.lab.lab import HOST, Lab
from tests.lab.router import LAN, WAN, Entry

SPECS = ("pmp", f"pmp:{LAN}", "upnp", "any")


@pytest.mark.parametrize("spec", SPECS)
def test_tcp_and_udp_bytes_arrive(lab: Lab, spec: str) -> None:
    lab.serve(4001)
    with Portmap(lab.lan, "--nat", spec, "4001/both") as portmap:
        for protocol in ("TCP", "UDP"):
            portmap.wait_for("mapping.added", protocol=protocol, internal_port=4001, external_port=4001)
            assert lab.bytes_arrive(protocol, 4001)


def test_any_finds_upnp_where_the_nat_pmp_port_is_silent(lab: Lab) -> None:
    lab.serve(4001)
    lab.router.drop(5351)
    with Portmap(lab.lan, "--nat", "any", "4001/both") as portmap:
        for protocol in ("TCP", "UDP"):
            portmap.wait_for("mapping.added", protocol=protocol, external_port=4001)
            assert lab.bytes_arrive(protocol, 4001)


def test_any_finds_nat_pmp_where_upnp_is_switched_off(quiet_lab: Lab) -> None:
    quiet_lab.router.start_miniupnpd(enable_upnp="no")
    quiet_lab.serve(4001)
    with Portmap(quiet_lab.lan, "--nat", "any", "4001") as portmap:
        portmap.wait_for("mapping.added", external_port=4001)
        assert quiet_lab.bytes_arrive("TCP", 4001)


def test_a_description_url_makes_the_search_unnecessary(lab: Lab) -> None:
    lab.serve(4001)
    lab.router.drop(1900)
    with Portmap(lab.lan, "--nat", f"upnp:{lab.router.description_url}", "4001") as portmap:
        portmap.wait_for("mapping.added", external_port=4001)
        assert lab.bytes_arrive("TCP", 4001)


def test_the_announcement_names_the_outer_address_and_its_scope(lab: Lab) -> None:
    with Portmap(lab.lan, "--nat", "any", "4001") as portmap:
        portmap.wait_for("mapping.added", external_ip=WAN, scope="public", protocol="TCP", v=1)


@pytest.mark.parametrize("spec", ["pmp", "upnp"])
def test_the_external_port_may_differ_from_the_internal_one(lab: Lab, spec: str) -> None:
    lab.serve(4001)
    with Portmap(lab.lan, "--nat", spec, "4080:4001") as portmap:
        portmap.wait_for("mapping.added", internal_port=4001, external_port=4080)
        assert lab.router.mappings() == [Entry("TCP", 4080, HOST, 4001)]
        assert lab.bytes_arrive("TCP", 4080)


@pytest.mark.parametrize("spec", ["pmp", "upnp", "any"])
def test_a_port_that_the_neighbour_holds_gives_another_one_and_it_is_announced(lab: Lab, spec: str) -> None:
    lab.serve(4001)
    lab.neighbour.run(["natpmpc", "-a", "4001", "4001", "tcp", "3600"])
    with Portmap(lab.lan, "--nat", spec, "4001") as portmap:
        granted = portmap.wait_for("mapping.added", internal_port=4001)["external_port"]
        assert granted != 4001
        assert lab.bytes_arrive("TCP", granted)


def test_the_neighbour_keeps_its_port_when_we_want_the_same(lab: Lab) -> None:
    lab.neighbour.run(["natpmpc", "-a", "4001", "4001", "tcp", "3600"])
    theirs = lab.router.mappings()
    with Portmap(lab.lan, "--nat", "upnp", "4001") as portmap:
        portmap.wait_for("mapping.added")
        portmap.stop()
    assert lab.router.mappings() == theirs


def test_several_mappings_are_held_at_once(lab: Lab) -> None:
    ports = [4001, 4002, 4003]
    with Portmap(lab.lan, "--nat", "any", *(f"{port}/both" for port in ports)) as portmap:
        for port in ports:
            portmap.wait_for("mapping.added", internal_port=port, protocol="TCP")
            portmap.wait_for("mapping.added", internal_port=port, protocol="UDP")
        expected = [Entry(protocol, port, HOST, port) for protocol in ("TCP", "UDP") for port in ports]
        assert lab.router.mappings() == expected
