"""The doctor on a real router: what is wrong there is what it says, in time."""

import json
import time
from typing import Any

import pytest
from tests.lab.command import PORTMAP, Program
from tests.lab.lab import HOST, NEIGHBOUR, Lab
from tests.lab.router import LAN
from tests.lab.slowdown import Slowdown

LIMIT = 6.0  # seconds, in which the doctor is to come to an end


def doctor(lab: Lab, mapping: str = "", nat: str = "any", *, try_it: bool = False) -> dict[str, Any]:
    words = [*([mapping] if mapping else []), "--nat", nat, "--json", *(["--try"] if try_it else [])]
    # An exit code other than 0 is a verdict here, no failure to run it.
    told: dict[str, Any] = json.loads(lab.lan.run(["sh", "-c", '"$@" || true', "sh", *PORTMAP, "doctor", *words]))
    return told


def test_a_router_without_a_fault_is_fine(lab: Lab) -> None:
    lab.serve(4001)
    told = doctor(lab, "4001", try_it=True)
    assert (told["verdict"], told["exit"]) == ("ok", 0), told
    assert told["network"]["address"] == HOST
    assert lab.router.mappings() == []


def test_looking_changes_nothing(lab: Lab) -> None:
    doctor(lab, "4001")
    assert lab.router.mappings() == []


@pytest.mark.parametrize(
    ("nat", "option", "verdict"), [("upnp", "enable_upnp", "upnp-disabled"), ("pmp", "enable_natpmp", "pmp-disabled")]
)
def test_a_protocol_that_is_off_is_the_verdict_only_where_it_was_asked_for(
    quiet_lab: Lab, nat: str, option: str, verdict: str
) -> None:
    quiet_lab.router.start_miniupnpd(**{option: "no"})
    told = doctor(quiet_lab, nat=nat)
    assert (told["verdict"], told["exit"]) == (verdict, 3), told
    assert "does answer" in told["next"][0]
    assert doctor(quiet_lab)["verdict"] == "ok"


def test_a_router_that_speaks_nothing_is_said_in_time(quiet_lab: Lab, control: Slowdown) -> None:
    began = time.monotonic()
    told = doctor(quiet_lab)
    control.judge("the verdict", time.monotonic() - began, LIMIT, began)
    assert (told["verdict"], told["exit"]) == ("mapping-disabled", 3), told


def test_a_router_that_is_silent_is_said_in_time(lab: Lab, control: Slowdown) -> None:
    lab.router.drop()
    began = time.monotonic()
    told = doctor(lab, "4001", try_it=True)
    control.judge("the verdict", time.monotonic() - began, LIMIT, began)
    assert told["verdict"] == "mapping-disabled", told


def test_no_network_is_no_gateway(quiet_lab: Lab) -> None:
    quiet_lab.lan.ip("link set eth0 down")
    told = doctor(quiet_lab)
    assert (told["verdict"], told["exit"]) == ("no-gateway", 3), told


@pytest.mark.parametrize("nat", ["pmp", "upnp"])
def test_a_rule_of_the_router_that_forbids_the_port_shows_in_the_try(lab: Lab, nat: str) -> None:
    told = doctor(lab, "80", nat, try_it=True)
    assert (told["verdict"], told["exit"]) == ("refused-by-policy", 4), told


def test_the_host_that_holds_the_port_is_named(lab: Lab) -> None:
    lab.serve(4001)
    lab.neighbour.run(["natpmpc", "-a", "4001", "4001", "tcp", "3600"])
    told = doctor(lab, "4001")
    assert (told["verdict"], told["exit"]) == ("held-by-other", 5), told
    assert NEIGHBOUR in told["title"]


# miniupnpd keeps such an address to itself; the simulated router, in its place, tells it as other routers do.
@pytest.mark.parametrize(("wan", "verdict"), [("10.0.0.2", "double-nat"), ("100.64.0.2", "cgnat")])
def test_a_wan_address_that_is_worth_nothing_is_said(quiet_lab: Lab, wan: str, verdict: str) -> None:
    words = ["--address", LAN, "--external-ip", wan, "--json"]
    with Program(quiet_lab.router, *PORTMAP, "router", *words) as router:
        router.wait_for("router.started")
        told = doctor(quiet_lab, "4001")
    assert (told["verdict"], told["exit"]) == (verdict, 8), told
    assert wan in told["explanation"]


@pytest.mark.parametrize("nat", ["pmp", "upnp"])
def test_a_router_that_keeps_its_private_address_to_itself_has_none(quiet_lab: Lab, nat: str) -> None:
    quiet_lab.wan_address("10.0.0.2")
    quiet_lab.router.start_miniupnpd()
    told = doctor(quiet_lab, "4001", nat)
    assert (told["verdict"], told["exit"]) == ("no-address", 8), told


def test_a_port_where_nothing_listens_is_said(lab: Lab) -> None:
    told = doctor(lab, "4001")
    assert (told["verdict"], told["exit"]) == ("not-listening", 8), told


def test_the_hosts_own_firewall_is_said(lab: Lab) -> None:
    lab.serve(4001)
    rules = (
        "table inet host { chain in { type filter hook input priority 0; policy drop; ct state established accept; }; }"
    )
    lab.lan.run(["nft", "-f", "-"], stdin=rules)
    told = doctor(lab, "4001")
    assert (told["verdict"], told["exit"]) == ("local-firewall", 8), told


def test_the_routers_table_is_listed_with_whose_is_whose(lab: Lab) -> None:
    lab.neighbour.run(["natpmpc", "-a", "4001", "4001", "tcp", "3600"])
    (row,) = json.loads(lab.lan.run([*PORTMAP, "ls", "--nat", "upnp", "--json"]))["mappings"]
    assert (row["external_port"], row["client"], row["ours"]) == (4001, NEIGHBOUR, False)
    assert row["description"].startswith("NAT-PMP")
    assert LAN not in row["client"]
