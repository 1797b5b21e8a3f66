"""Behind a router that maps ports and a NAT that cannot be asked: the router forwards to the local port of punch."""

from collections.abc import Iterator
from functools import partial

import pytest
from tests.lab.carrier import FULL_CONE, SYMMETRIC, become
from tests.lab.command import Portmap
from tests.lab.inner_router import InnerRouter
from tests.lab.lab import Lab
from tests.lab.namespace import until
from tests.lab.router import WAN
from tests.lab.second_uplink import OTHER, frames_sent, plug_in_decoy
from tests.lab.test_punch import PORT, SPEC, answers, servers

__all__ = ["servers"]  # the fixture

INNER = ("upnp", "pcp", "pmp", "any")


@pytest.fixture
def inner(servers: Lab) -> Iterator[InnerRouter]:
    with InnerRouter(servers) as router:
        router.serve(PORT)
        yield router


@pytest.mark.parametrize("protocol", ["TCP", "UDP"])
@pytest.mark.parametrize("nat", INNER)
def test_bytes_from_a_host_that_was_never_contacted_arrive_and_nothing_is_left(
    servers: Lab, inner: InnerRouter, nat: str, protocol: str
) -> None:
    become(servers, FULL_CONE, inner.outside)
    with Portmap(inner.far, "--nat", nat, "--beyond", SPEC, f"{PORT}/{protocol.lower()}") as portmap:
        port = int(portmap.wait_for("mapping.added", external_ip=WAN)["external_port"])
        assert servers.internet.inside(lambda: answers(protocol, port))
        (entry,) = inner.router.entries
        assert entry.external_port == entry.internal_port != PORT
        assert portmap.stop().code == 0, portmap.story()
    assert inner.router.entries == ()
    assert not servers.internet.inside(lambda: answers(protocol, port))


def test_tcp_and_udp_are_open_together(servers: Lab, inner: InnerRouter) -> None:
    become(servers, FULL_CONE, inner.outside)
    with Portmap(inner.far, "--nat", "any", "--beyond", SPEC, f"{PORT}/both") as portmap:
        for protocol in ("TCP", "UDP"):
            port = int(portmap.wait_for("mapping.added", protocol=protocol, external_ip=WAN)["external_port"])
            assert servers.internet.inside(partial(answers, protocol, port))


def test_a_restart_of_the_inner_router_is_mended(servers: Lab, inner: InnerRouter) -> None:
    become(servers, FULL_CONE, inner.outside)
    words = ("--nat", "any", "--beyond", SPEC, "--ip-interval", "2s", f"{PORT}/udp")
    with Portmap(inner.far, *words) as portmap:
        portmap.wait_for("mapping.added", external_ip=WAN)
        inner.router.reboot()
        arrives = partial(servers.internet.inside, lambda: answers("UDP", portmap.port("UDP")))
        until(arrives, "the port stays shut", within=10)


def test_a_symmetric_nat_is_refused_and_the_inner_port_is_shut_again(servers: Lab, inner: InnerRouter) -> None:
    become(servers, SYMMETRIC)
    with Portmap(inner.far, "--nat", "any", "--beyond", SPEC, f"{PORT}/udp") as portmap:
        told = portmap.wait_for("mapping.failed", error="Refused")
        assert "maps each destination to another port" in told["reason"]
        assert inner.router.entries == ()


def test_with_nft_the_kernel_hands_on_what_the_inner_router_forwards(servers: Lab, inner: InnerRouter) -> None:
    become(servers, FULL_CONE, inner.outside)
    with Portmap(inner.far, "--nat", "any", "--beyond", f"{SPEC}?forward=nft", f"{PORT}/tcp") as portmap:
        port = int(portmap.wait_for("mapping.added", external_ip=WAN)["external_port"])
        assert servers.internet.inside(lambda: answers("TCP", port))
        assert portmap.stop().code == 0, portmap.story()
    assert "portmap_punch" not in inner.far.run(["nft", "list", "tables"])


def test_by_a_chosen_interface_all_of_it_leaves_by_that_one(servers: Lab, inner: InnerRouter) -> None:
    become(servers, FULL_CONE, inner.outside)
    plug_in_decoy(inner.far)
    words = ("--interface", "eth0", "--nat", "any", "--beyond", SPEC, f"{PORT}/udp")
    with Portmap(inner.far, *words) as portmap:
        port = int(portmap.wait_for("mapping.added", external_ip=WAN)["external_port"])
        assert servers.internet.inside(lambda: answers("UDP", port))
    assert frames_sent(inner.far, OTHER) == 0
