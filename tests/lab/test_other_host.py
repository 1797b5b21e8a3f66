"""Mappings to another host of the LAN, `PORT@HOST`: a console or a NAS that cannot ask for itself."""

import json
import time
from pathlib import Path

import pytest
from tests.lab.command import PORTMAP, Portmap
from tests.lab.lab import HOST, NEIGHBOUR, Lab
from tests.lab.namespace import until
from tests.lab.router import LAN, Entry

ALLOWING = {"secure_mode": "no", "pcp_allow_thirdparty": "yes"}
"""As most home routers are set up for UPnP, and few for PCP."""


@pytest.fixture
def open_lab(quiet_lab: Lab) -> Lab:
    """A lab whose router maps for one host to another; the neighbour serves 4001."""
    quiet_lab.router.start_miniupnpd(**ALLOWING)
    quiet_lab.serve(4001, quiet_lab.neighbour)
    return quiet_lab


def _kill(portmap: Portmap) -> None:
    time.sleep(0.3)  # the journal is written right after the event
    portmap.process.kill()
    portmap.process.wait(5)


@pytest.mark.parametrize("spec", ["upnp", "pcp", "any", "miniupnpc"])
def test_bytes_arrive_at_the_other_host_and_nothing_is_left_at_the_end(open_lab: Lab, spec: str) -> None:
    with Portmap(open_lab.lan, "--nat", spec, f"4080:4001@{NEIGHBOUR}/both") as portmap:
        for protocol in ("TCP", "UDP"):
            portmap.wait_for("mapping.added", protocol=protocol, host=NEIGHBOUR, external_port=4080)
            assert open_lab.bytes_arrive(protocol, 4080)
        assert {entry.client for entry in open_lab.router.mappings()} == {NEIGHBOUR}
        assert portmap.stop().code == 0
    assert open_lab.router.mappings() == []


def test_any_asks_by_upnp_where_pcp_lets_hosts_map_for_themselves_only(quiet_lab: Lab) -> None:
    quiet_lab.router.start_miniupnpd(secure_mode="no")
    quiet_lab.serve(4001, quiet_lab.neighbour)
    with Portmap(quiet_lab.lan, "--nat", "any", f"4080:4001@{NEIGHBOUR}/both") as portmap:
        for protocol in ("TCP", "UDP"):
            portmap.wait_for("mapping.added", protocol=protocol, host=NEIGHBOUR, external_port=4080)
            assert quiet_lab.bytes_arrive(protocol, 4080)
        assert portmap.stop().code == 0, portmap.story()
    assert quiet_lab.router.mappings() == []


def test_one_port_of_two_hosts_is_two_mappings(open_lab: Lab) -> None:
    with Portmap(open_lab.lan, "--nat", "upnp", "4001", f"4080:4001@{NEIGHBOUR}") as portmap:
        portmap.wait_for("mapping.added", internal_port=4001, external_port=4001)
        portmap.wait_for("mapping.added", internal_port=4001, external_port=4080, host=NEIGHBOUR)
        clients = {entry.external_port: entry.client for entry in open_lab.router.mappings()}
        assert clients == {4001: HOST, 4080: NEIGHBOUR}


@pytest.mark.parametrize("spec", ["upnp", "pcp", "any"])
def test_a_router_that_lets_hosts_map_for_themselves_only_says_so(lab: Lab, spec: str) -> None:
    with Portmap(lab.lan, "--nat", spec, f"4001@{NEIGHBOUR}") as portmap:
        failed = portmap.wait_for("mapping.failed", internal_port=4001, host=NEIGHBOUR)
        assert NEIGHBOUR in failed["reason"]
    assert lab.router.mappings() == []


@pytest.mark.parametrize(
    ("host", "why"),
    [
        (LAN, "is a router"),
        (HOST, "is this computer"),
        ("192.168.5.5", "is in no network that this computer is connected to"),
        ("192.168.77.255", "is no host of 192.168.77.0/24"),
        ("127.0.0.5", "is not of a private network"),
    ],
)
def test_no_mapping_is_made_to_what_is_no_neighbour(open_lab: Lab, host: str, why: str) -> None:
    with Portmap(open_lab.lan, "--nat", "upnp", f"4001@{host}") as portmap:
        assert why in portmap.wait_for("mapping.failed", internal_port=4001, host=host)["reason"]
    assert open_lab.router.mappings() == []


def test_nat_pmp_says_that_it_cannot(open_lab: Lab) -> None:
    with Portmap(open_lab.lan, "--nat", "pmp", f"4001@{NEIGHBOUR}") as portmap:
        failed = portmap.wait_for("mapping.failed", internal_port=4001)
        assert "ask by UPnP or PCP" in failed["reason"]
    assert open_lab.router.mappings() == []


def test_after_a_crash_the_mapping_is_taken_over_and_deleted_at_the_end(open_lab: Lab, tmp_path: Path) -> None:
    words = ("--nat", "upnp", f"4001@{NEIGHBOUR}")
    with Portmap(open_lab.lan, *words, state=tmp_path) as portmap:
        portmap.wait_for("mapping.added", host=NEIGHBOUR)
        _kill(portmap)
    assert [entry.client for entry in open_lab.router.mappings()] == [NEIGHBOUR]
    with Portmap(open_lab.lan, *words, state=tmp_path) as portmap:
        portmap.wait_for("mapping.added", host=NEIGHBOUR, external_port=4001)
        assert portmap.stop().code == 0
    assert open_lab.router.mappings() == []


def test_what_a_crash_left_is_deleted_where_it_is_wanted_no_more(open_lab: Lab, tmp_path: Path) -> None:
    with Portmap(open_lab.lan, "--nat", "upnp", f"4001@{NEIGHBOUR}", state=tmp_path) as portmap:
        portmap.wait_for("mapping.added", host=NEIGHBOUR)
        _kill(portmap)
    with Portmap(open_lab.lan, "--nat", "upnp", "4002", state=tmp_path) as portmap:
        portmap.wait_for("mapping.added", external_port=4002)
        until(lambda: open_lab.router.mappings() == [Entry("TCP", 4002, HOST, 4002)], "the leftover stays", within=10)


def test_a_restart_of_the_router_is_followed(open_lab: Lab) -> None:
    with Portmap(open_lab.lan, "--nat", "upnp", f"4001@{NEIGHBOUR}") as portmap:
        portmap.wait_for("mapping.added", host=NEIGHBOUR)
        open_lab.router.reboot(**ALLOWING)
        assert open_lab.bytes_arrive("TCP", 4001, within=10)


def test_ls_and_status_show_the_host_and_that_it_is_ours(open_lab: Lab, tmp_path: Path) -> None:
    state = ("--state", str(tmp_path))
    with Portmap(open_lab.lan, "--nat", "upnp", f"web=4001@{NEIGHBOUR}", state=tmp_path) as portmap:
        portmap.wait_for("mapping.added", host=NEIGHBOUR)
        status = open_lab.lan.run([*PORTMAP, "status", *state])
        assert f"web 4001@{NEIGHBOUR}/tcp" in status
        listed = json.loads(open_lab.lan.run([*PORTMAP, "ls", "--nat", "upnp", "--json", *state]))
        assert [(row["client"], row["ours"]) for row in listed["mappings"]] == [(NEIGHBOUR, True)]


def test_open_and_close_map_to_another_host_and_back(open_lab: Lab, tmp_path: Path) -> None:
    state = ("--state", str(tmp_path))
    port = f"4001@{NEIGHBOUR}"
    opened = open_lab.lan.run([*PORTMAP, "open", "--nat", "upnp", *state, port])
    assert f"{port}/tcp is open at" in opened
    assert [entry.client for entry in open_lab.router.mappings()] == [NEIGHBOUR]
    assert open_lab.lan.run([*PORTMAP, "close", *state, port]) == f"{port}/tcp is closed\n"
    assert open_lab.router.mappings() == []
