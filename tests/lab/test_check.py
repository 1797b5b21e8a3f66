"""`portmap check` through the real router, with `portmap echo` on the internet host."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.lab.command import PORTMAP, Portmap, Program
from tests.lab.lab import INTERNET, Lab
from tests.lab.router import WAN
from tests.lab.test_stun import coturn

VIA = f"http://{INTERNET}:8080"
PORT = 4001


@pytest.fixture
def world(lab: Lab) -> Iterator[Lab]:
    """The lab with a responder on the internet."""
    with Program(lab.internet, *PORTMAP, "echo", "--json") as responder:
        responder.wait_for("echo.listening")
        yield lab


def check(lab: Lab, port: str, *words: str) -> dict[str, Any]:
    """One verdict. The exit code is that of the verdict, so it is not judged here."""
    command = [*PORTMAP, "check", port, "--json", "--nat", "pmp", "--state", "none", *words]
    told: dict[str, Any] = json.loads(lab.lan.run(["sh", "-c", '"$@" || true', "sh", *command]))
    return told


def test_a_mapped_port_is_open_and_one_that_is_not_mapped_is_closed(world: Lab) -> None:
    world.serve(PORT)
    with Portmap(world.lan, "--nat", "pmp", str(PORT)) as portmap:
        portmap.wait_for("mapping.added")
        found = check(world, str(PORT), "--via", VIA)
        assert (found["verdict"], found["how"], found["external_ip"]) == ("open", "a responder outside", WAN)
        assert portmap.stop().code == 0
    time.sleep(1)  # the responder tries a port of one address once a second
    assert check(world, str(PORT), "--via", VIA)["verdict"] == "closed"


def test_a_mapped_port_without_a_program_says_that_the_way_is_free(world: Lab) -> None:
    with Portmap(world.lan, "--nat", "pmp", f"{PORT}/both") as portmap:
        portmap.wait_for("mapping.added", protocol="TCP")
        portmap.wait_for("mapping.added", protocol="UDP")
        tcp = check(world, f"{PORT}/tcp", "--via", VIA)
        assert (tcp["verdict"], tcp["by"]) == ("closed", "this host")
        assert "The way is free" in tcp["reason"]
        assert check(world, f"{PORT}/udp", "--via", VIA)["verdict"] == "open"


def test_udp_that_is_not_mapped_is_closed(world: Lab) -> None:
    assert check(world, f"{PORT}/udp", "--via", VIA)["verdict"] == "closed"


def test_without_a_responder_nothing_outside_is_asked_and_the_port_is_unknown(lab: Lab) -> None:
    lab.serve(PORT)
    with Portmap(lab.lan, "--nat", "pmp", str(PORT)) as portmap:
        portmap.wait_for("mapping.added")
        assert check(lab, str(PORT))["verdict"] == "unknown"


def test_the_responder_sees_the_address_that_asks_and_tries_no_other(world: Lab) -> None:
    told = world.lan.run(["curl", "-s", "-H", "X-Forwarded-For: 11.22.33.99", f"{VIA}/port/9?ip=11.22.33.99"])
    assert json.loads(told) == {"ip": WAN, "port": 9, "reachable": False}


def test_a_rule_that_vanishes_from_the_kernel_is_told_and_mended_within_15_s(world: Lab) -> None:
    world.serve(PORT)
    with Portmap(world.lan, "--nat", "pmp", "--prove", f"{VIA},every=5s", str(PORT)) as portmap:
        portmap.wait_for("mapping.reachable", external_port=PORT)
        assert world.bytes_arrive("TCP", PORT)
        world.router.forget_rules()
        begun = time.monotonic()
        portmap.wait_for("mapping.unreachable", timeout=15)
        since = len(portmap.events)
        portmap.wait_for("mapping.reachable", timeout=15, since=since - 1)
        assert world.bytes_arrive("TCP", PORT)
        assert time.monotonic() - begun < 15


def test_a_port_that_is_reached_is_told_once_and_nothing_is_asked_of_the_gateway_for_it(world: Lab) -> None:
    world.serve(PORT)
    with Portmap(world.lan, "--nat", "pmp", "--prove", f"{VIA},every=5s", str(PORT)) as portmap:
        portmap.wait_for("mapping.reachable")
        time.sleep(11)
        assert len(portmap.told("mapping.reachable")) == 1
        assert not portmap.told("mapping.renewed")


def test_a_stun_server_with_two_addresses_proves_udp(lab: Lab, tmp_path: Path) -> None:
    lab.internet.ip("addr add 11.22.33.253/8 dev eth0")
    with (
        coturn(lab.internet, tmp_path, INTERNET, "11.22.33.253", discovery=True),
        Portmap(lab.lan, "--nat", "pmp", f"{PORT}/udp") as portmap,
    ):
        portmap.wait_for("mapping.added")
        found = check(lab, f"{PORT}/udp", "--via", f"stun:{INTERNET}")
        assert (found["verdict"], found["how"]) == ("open", "a responder outside"), found
        portmap.stop()
        assert check(lab, f"{PORT}/udp", "--via", f"stun:{INTERNET}")["verdict"] == "closed"
