"""Two gateways in a row: bytes from the internet reach the host behind both, and nothing is left at either."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.lab.command import PORTMAP, Portmap
from tests.lab.inner_router import BESIDE, INSIDE, InnerRouter
from tests.lab.lab import Lab
from tests.lab.router import LAN, WAN
from tests.lab.slowdown import Slowdown

PORT = 4001
OUTER = ("pmp", "pcp", "upnp", "auto")
BOTH = ("TCP", "UDP")
OPEN = 1.0  # seconds from the start of the command to the open port
CHECK = 2  # seconds between two checks: announcements of the outer router do not come through the inner one


@pytest.fixture
def inner(lab: Lab) -> Iterator[InnerRouter]:
    with InnerRouter(lab) as router:
        router.serve(PORT)
        yield router


def beyond(lab: Lab, protocol: str) -> str:
    """The spec of the lab's own router, or of a search for it."""
    if protocol == "auto":
        return "auto"
    return f"upnp:{lab.router.description_url}" if protocol == "upnp" else f"{protocol}:{LAN}"


def hold(lab: Lab, inner: InnerRouter, protocol: str, *more: str, state: Path | None = None) -> Portmap:
    words = ("--nat", "any", "--beyond", beyond(lab, protocol), "--ip-interval", f"{CHECK}s", *more, f"{PORT}/both")
    portmap = Portmap(inner.far, *words, state=state)
    for each in BOTH:
        portmap.wait_for("mapping.added", protocol=each, external_ip=WAN, external_port=PORT)
    return portmap


def bytes_arrive(lab: Lab, *, within: float = 2) -> bool:
    return all(lab.bytes_arrive(protocol, PORT, within=within) for protocol in BOTH)


@pytest.mark.parametrize("protocol", OUTER)
def test_bytes_from_the_internet_arrive_through_both_and_ctrl_c_leaves_nothing(
    lab: Lab, inner: InnerRouter, protocol: str
) -> None:
    with hold(lab, inner, protocol) as portmap:
        assert bytes_arrive(lab)
        assert {entry.internal_port for entry in inner.router.entries} == {PORT}
        assert portmap.stop().code == 0, portmap.story()
    assert lab.router.mappings() == []
    assert inner.router.entries == ()
    assert not lab.bytes_arrive("TCP", PORT)


@pytest.mark.parametrize("protocol", OUTER)
def test_a_chain_is_open_within_a_second(lab: Lab, inner: InnerRouter, control: Slowdown, protocol: str) -> None:
    begun = time.monotonic()
    with hold(lab, inner, protocol):
        took = time.monotonic() - begun
        control.judge("the chain", took, OPEN, begun)


@pytest.mark.parametrize("protocol", OUTER)
def test_a_restart_of_the_outer_router_is_mended_by_the_checks(lab: Lab, inner: InnerRouter, protocol: str) -> None:
    with hold(lab, inner, protocol):
        lab.router.reboot()
        assert bytes_arrive(lab, within=4 * CHECK + 2)


def test_a_restart_of_the_inner_router_is_mended_by_the_checks(lab: Lab, inner: InnerRouter) -> None:
    with hold(lab, inner, "pmp"):
        inner.router.reboot()
        assert bytes_arrive(lab, within=4 * CHECK + 2)


@pytest.mark.parametrize("protocol", OUTER)
def test_another_address_of_the_inner_router_moves_the_outer_mapping(
    lab: Lab, inner: InnerRouter, protocol: str
) -> None:
    """To another external port: the outer router keeps the old one, which only the old address may delete."""
    with hold(lab, inner, protocol) as portmap:
        inner.move("192.168.77.5")
        portmap.wait_for("mapping.changed")
        lab.seconds_until_bytes_arrive(portmap)
        assert portmap.port("TCP") == portmap.port("UDP"), portmap.story()


@pytest.mark.parametrize("protocol", OUTER)
def test_another_address_of_the_outer_router_is_announced(lab: Lab, inner: InnerRouter, protocol: str) -> None:
    with hold(lab, inner, protocol) as portmap:
        lab.wan_address("11.22.33.7")
        portmap.wait_for("mapping.changed", external_ip="11.22.33.7", external_port=PORT)


@pytest.mark.parametrize("protocol", OUTER)
def test_what_a_killed_command_left_at_both_routers_is_taken_over_and_closed(
    lab: Lab, inner: InnerRouter, protocol: str, tmp_path: Path
) -> None:
    with hold(lab, inner, protocol, state=tmp_path) as killed:
        killed.process.kill()
        killed.process.wait(5)
    left = lab.router.mappings()
    with hold(lab, inner, protocol, state=tmp_path) as portmap:
        assert lab.router.mappings() == left
        assert bytes_arrive(lab)
        portmap.stop()
    assert lab.router.mappings() == []
    assert inner.router.entries == ()


def test_a_dead_outer_router_does_not_delay_the_end_and_the_inner_port_is_closed(
    lab: Lab, inner: InnerRouter, control: Slowdown
) -> None:
    with hold(lab, inner, "pmp") as portmap:
        lab.router.drop()
        begun = time.monotonic()
        code, seconds = portmap.stop()
        assert code == 0, portmap.story()
        control.judge("the end", seconds, 3.0, begun)
    assert inner.router.entries == ()


@pytest.mark.parametrize("protocol", OUTER)
def test_a_chain_may_lead_to_another_host_behind_the_inner_router(lab: Lab, inner: InnerRouter, protocol: str) -> None:
    inner.serve(PORT, inner.beside)
    words = ("--nat", "upnp", "--beyond", beyond(lab, protocol), f"4080:{PORT}@{BESIDE}/both")
    with Portmap(inner.far, *words) as portmap:
        for each in BOTH:
            portmap.wait_for("mapping.added", protocol=each, host=BESIDE, external_ip=WAN, external_port=4080)
            assert lab.bytes_arrive(each, 4080, within=2)
        assert {entry.internal_client for entry in inner.router.entries} == {BESIDE}
        assert portmap.stop().code == 0, portmap.story()
    assert lab.router.mappings() == []
    assert inner.router.entries == ()


def test_where_the_router_beyond_cannot_be_asked_the_reason_says_what_may_help(quiet_lab: Lab) -> None:
    with InnerRouter(quiet_lab) as inner, Portmap(inner.far, "--nat", "any", "--beyond", "auto", str(PORT)) as portmap:
        told = portmap.wait_for("mapping.failed")
        assert f"nothing that maps ports answers at {LAN}: " in told["reason"], portmap.story()
        assert "--beyond punch:A+B" in told["reason"]
        portmap.stop()
        assert inner.router.entries == ()


def test_the_doctor_names_the_command_and_it_works(lab: Lab, inner: InnerRouter) -> None:
    words = [*PORTMAP, "doctor", "--json", str(PORT)]
    told = json.loads(inner.far.run(["sh", "-c", '"$@" || true', "sh", *words]))
    assert told["verdict"] == "double-nat", told
    command = told["next"][0].partition(": ")[2].split()
    assert command[0] == "portmap", told["next"]
    with Portmap(inner.far, *command[1:]) as portmap:
        portmap.wait_for("mapping.added", external_ip=WAN)
        assert lab.bytes_arrive("TCP", portmap.port(), within=2), portmap.story()


def test_without_the_gateway_beyond_the_inner_one_says_that_it_is_not_public(lab: Lab, inner: InnerRouter) -> None:
    with Portmap(inner.far, "--nat", f"pmp:{INSIDE}", str(PORT)) as portmap:
        told = portmap.wait_for("external_ip.changed", external_ip=inner.outside)
        assert told["scope"] == "private"
        assert not lab.bytes_arrive("TCP", PORT)
