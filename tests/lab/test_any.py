"""`any` and lists at the real router: which backend is preferred, what is remembered, how soon no gateway is told.

Which plugins are loaded in time depends on the machine; what is promised here does not.
"""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.lab.command import Event, Portmap
from tests.lab.lab import HOST, Lab
from tests.lab.router import LAN
from tests.lab.slowdown import Slowdown

from portmap.backends import load
from portmap.errors import NATError, NoGateway

PCP, NAT_PMP, UPNP = f"PCP {LAN}", f"NAT-PMP {LAN}", f"UPnP {LAN}"
VERDICT = 3.2  # seconds
PUBLIC = "11.77.0.2"


def found(lab: Lab, spec: str, state: Path | None = None) -> Event:
    """What is told of the gateway by a session that maps a port, and ends."""
    with Portmap(lab.lan, "--nat", spec, "4001", state=state) as portmap:
        event = portmap.wait_for("gateway.found")
        portmap.wait_for("mapping.added", external_port=4001)
        time.sleep(0.1)  # the journal is written when all is settled, right after the event
        assert portmap.stop().code == 0
        return event


def test_any_takes_pcp_if_it_has_answered_by_then(lab: Lab) -> None:
    event = found(lab, "any")
    answered = [fact for fact in event["evidence"] if " answered in " in fact]
    assert answered[0].startswith(event["gateway"])
    assert event["gateway"] == PCP or not any(fact.startswith(PCP) for fact in answered), event


@pytest.mark.parametrize(("spec", "first"), [("pcp,pmp,upnp", PCP), ("pmp,pcp", NAT_PMP), ("any:pmp,upnp", NAT_PMP)])
def test_a_list_prefers_its_first_member(lab: Lab, spec: str, first: str) -> None:
    assert found(lab, spec)["gateway"] == first


def test_gateway_found_names_the_time_and_the_slower_backends(lab: Lab) -> None:
    event = found(lab, "pcp,upnp")
    assert 0 < event["ms"] < 3000
    assert event["evidence"][0].startswith(f"{PCP} answered in ")
    assert event["evidence"][1].startswith("UPnP")


def test_where_nat_pmp_and_pcp_are_off_upnp_is_taken_and_their_reasons_are_told(quiet_lab: Lab) -> None:
    quiet_lab.router.start_miniupnpd(enable_natpmp="no")
    assert found(quiet_lab, "any")["gateway"].startswith(UPNP)
    event = found(quiet_lab, "pcp,pmp,upnp")
    assert event["gateway"].startswith(UPNP)
    told = "; ".join(event["evidence"])
    assert f"no program speaks PCP at {LAN}:5351" in told
    assert f"no program speaks NAT-PMP at {LAN}:5351" in told


def test_where_their_port_is_silent_upnp_is_taken_and_it_is_told_that_they_had_not_answered(lab: Lab) -> None:
    lab.router.drop(5351)
    event = found(lab, "any:pcp,pmp,upnp")
    assert event["gateway"].startswith(UPNP)
    assert {"PCP had not answered by then", "NAT-PMP had not answered by then"} <= set(event["evidence"])


def test_the_last_good_gateway_is_found_again_after_a_restart_though_no_search_gets_through(
    lab: Lab, tmp_path: Path
) -> None:
    lab.router.drop(5351)
    assert found(lab, "any", tmp_path)["gateway"].startswith(UPNP)
    lab.router.drop(1900)
    event = found(lab, "any", tmp_path)
    assert event["gateway"].startswith(UPNP)
    assert lab.router.description_url in event["evidence"]


def test_without_its_memory_it_would_not_be_found(lab: Lab) -> None:
    lab.router.drop(5351)
    lab.router.drop(1900)
    with Portmap(lab.lan, "--nat", "any", "4001") as portmap:
        portmap.wait_for("gateway.lost", error="NoGateway")


def test_what_is_remembered_is_no_obstacle_where_it_has_gone(lab: Lab, tmp_path: Path) -> None:
    lab.router.drop(5351)
    assert found(lab, "any", tmp_path)["gateway"].startswith(UPNP)
    lab.router.recover()
    lab.router.reboot(enable_upnp="no")
    assert found(lab, "any", tmp_path)["gateway"] in (PCP, NAT_PMP)


def test_a_host_with_a_public_address_says_so_and_asks_no_gateway(lab: Lab) -> None:
    lab.lan.ip(f"addr del {HOST}/24 dev eth0", f"addr add {PUBLIC}/24 dev eth0", "route add default dev eth0")
    with Portmap(lab.lan, "--nat", "any", "4001/both") as portmap:
        event = portmap.wait_for("gateway.found")
        assert event["gateway"] == f"no NAT: our own address {PUBLIC} is public"
        for protocol in ("TCP", "UDP"):
            portmap.wait_for("mapping.added", protocol=protocol, external_ip=PUBLIC, external_port=4001, static=True)
        assert portmap.stop().code == 0
    assert lab.router.mappings() == []
    assert lab.router.packets_heard() == 0


def silent(lab: Lab) -> None:
    lab.router.drop()


def deaf(_lab: Lab) -> None:
    """No daemon runs: its ports are closed."""


def unplugged(lab: Lab) -> None:
    lab.lan.ip("link set eth0 down")


@pytest.mark.parametrize("fate", [silent, deaf, unplugged])
def test_that_no_gateway_is_there_is_known_in_time(
    quiet_lab: Lab, control: Slowdown, fate: Callable[[Lab], None]
) -> None:
    fate(quiet_lab)

    def ask() -> tuple[NATError, float]:
        nat, begun = load.load("any"), time.monotonic()
        with pytest.raises(NoGateway) as caught:
            nat.external_ip()
        return caught.value, time.monotonic() - begun

    begun = time.monotonic()
    error, seconds = quiet_lab.lan.inside(ask)
    assert all(name in str(error) for name in ("PCP", "NAT-PMP", "UPnP"))
    control.judge("the verdict", seconds, VERDICT, begun)
