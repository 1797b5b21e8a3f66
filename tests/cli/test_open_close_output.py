"""`portmap open` and `portmap close`: what they print, and `close --force`."""

import json
import time
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from tests.cli.opened_ports import Told, close, left, open_, opened, outside, pmp, upnp

import portmap
from portmap.cli.commands.close import force_close_ports
from portmap.cli.output.open_ports import OpenedPort, closed_lines, opened_lines
from portmap.errors import SpecError
from portmap.model import PortRequest, Protocol
from portmap.network.routes import local_address_to
from portmap.storage.journal import JournalEntry
from portmap.testing import Quirks, Router, loopback_address
from portmap_upnp.control.soap_client import SoapClient
from portmap_upnp.control.wan_connection import WanConnection
from portmap_upnp.discovery.discover import fetch_device
from portmap_upnp.location import parse_url


def force(router: Router, folder: Path, *mappings: str) -> int:
    return force_close_ports(upnp(router), mappings, folder)


# What is said


def test_another_port_than_asked_for_is_said(tmp_path: Path, told: Told) -> None:
    with Router(loopback_address(), quirks=Quirks(conflict=frozenset({8080}))) as router:
        assert open_(pmp(router), tmp_path, "8080") == 0
        (line,) = told()
        assert line == f"8080/tcp is open at 1.2.3.4:{outside(router)[0]} for 10m, not at 8080, which is taken"


def test_that_a_running_portmap_has_the_port_elsewhere_is_said(router: Router, tmp_path: Path, told: Told) -> None:
    with portmap.open(pmp(router), ["8443:8080"]) as session:
        session.wait(10)
        assert open_(pmp(router), tmp_path, "8080") == 0
    (line,) = told()
    assert line.endswith(":8443 for 10m, not at 8080: another session of this process holds it, too")


@pytest.mark.parametrize("protocol", ["pmp", "pcp", "upnp"])
def test_one_taken_port_does_not_shift_a_range(tmp_path: Path, told: Told, protocol: str) -> None:
    with Router(loopback_address(), quirks=Quirks(conflict=frozenset({25570}))) as router:
        spec = upnp(router) if protocol == "upnp" else f"{protocol}:{router.address}"
        assert open_(spec, tmp_path, "25565-25580") == 0
        (other,) = set(outside(router)) - set(range(25565, 25581))
        assert told() == [
            "25565-25569/tcp are open at 1.2.3.4:25565-25569 for 10m",
            f"25570/tcp is open at 1.2.3.4:{other} for 10m, not at 25570, which is taken",
            "25571-25580/tcp are open at 1.2.3.4:25571-25580 for 10m",
        ]


def test_a_wanted_port_that_is_free_again_is_asked_for_first(tmp_path: Path) -> None:
    with Router(loopback_address(), quirks=Quirks(conflict=frozenset({8080}))) as router:
        open_(pmp(router), tmp_path, "8080")
        router.quirks = Quirks()
        open_(pmp(router), tmp_path, "8080")
        assert outside(router) == [8080]


def test_a_failing_port_is_told_and_the_rest_is_open(tmp_path: Path, told: Told) -> None:
    with Router(loopback_address(), quirks=Quirks(high_ports_only=True, no_port_zero=True)) as router:
        code = open_(pmp(router), tmp_path, "80", "8080")
        assert outside(router)[-1] == 8080
    lines = told()
    assert any(line.startswith("8080/tcp is open at 1.2.3.4:8080") for line in lines)
    assert code == 0 or any(line.startswith("portmap: 80/tcp: ") for line in lines)


@pytest.mark.parametrize("mappings", [("8080",), ("8080", "8081")])
def test_each_port_that_fails_is_told_once(tmp_path: Path, told: Told, mappings: tuple[str, ...]) -> None:
    with Router(loopback_address(), quirks=Quirks(pmp_result=2)) as router:
        assert open_(pmp(router), tmp_path, *mappings, as_json=True) == 4
    errors = [json.loads(line) for line in told() if line.startswith("{")]
    assert [str(it["internal_port"]) for it in errors] == list(mappings)


def test_json_has_an_object_for_each_port(router: Router, tmp_path: Path, told: Told) -> None:
    open_(pmp(router), tmp_path, "8081:8080", "5353/udp", as_json=True)
    objects = [json.loads(line) for line in told()]
    assert [(it["event"], it["internal_port"], it["external_port"], it["requested_port"]) for it in objects] == [
        ("opened", 8080, 8081, 8081),
        ("opened", 5353, 5353, 5353),
    ]


def test_a_range_moved_outside_is_one_line() -> None:
    ports = [opened(port, port + 10, suggested_port=port + 10) for port in range(80, 84)]
    assert opened_lines(ports) == ["80-83/tcp are open at 1.2.3.4:90-93 for 10m"]


def test_two_protocols_are_two_lines() -> None:
    ports = [opened(port, port, protocol) for port in (80, 81) for protocol in Protocol]
    assert opened_lines(ports) == [
        "80-81/tcp are open at 1.2.3.4:80-81 for 10m",
        "80-81/udp are open at 1.2.3.4:80-81 for 10m",
    ]


def test_an_ipv6_address_is_in_brackets() -> None:
    port = OpenedPort(PortRequest(Protocol.TCP, 80), 80, 0, "2600::1")
    assert opened_lines([port]) == ["80/tcp is open at [2600::1]:80 until it is closed: leases are not known there"]


def test_a_closed_range_is_one_line() -> None:
    entries = [JournalEntry("G", Protocol.TCP, port, port) for port in (80, 81, 83)]
    pinhole = JournalEntry("G", Protocol.TCP, 84, 84, spec="pcp", ipv6=True)
    assert closed_lines([*entries, pinhole]) == [
        "80-81/tcp are closed",
        "83/tcp is closed",
        "84/tcp is closed over IPv6",
    ]


# By force


def add_as_another_program(router: Router, external: int, internal: int, *, client: str = "") -> None:
    """An entry as `upnpc -a` makes it."""
    service = fetch_device(parse_url(router.description_url)).services[0]
    wan = WanConnection(SoapClient(service.service_type, service.control, time.monotonic() + 5))
    wan.add(Protocol.TCP, external, IPv4Address(client or here(router)), internal, "upnpc", 0)


def here(router: Router) -> str:
    return str(local_address_to(IPv4Address(router.address)))


def test_an_entry_of_another_program_that_leads_here_is_deleted_by_force_only(
    router: Router, tmp_path: Path, told: Told
) -> None:
    add_as_another_program(router, 5001, 4001)
    assert close(tmp_path, "5001:4001", nat=upnp(router)) == 2
    assert outside(router) == [5001]
    told()
    assert force(router, tmp_path, "5001") == 0
    assert outside(router) == []
    (line,) = told()
    assert line.startswith("deleted at ")
    assert line.endswith(f"5001/tcp → {here(router)}:4001, made by another program (upnpc)")


def test_what_portmap_open_made_by_nat_pmp_is_not_called_another_programs(
    router: Router, tmp_path: Path, told: Told
) -> None:
    open_(pmp(router), tmp_path, "8080")
    told()
    assert force(router, tmp_path, "8080") == 0
    (line,) = told()
    assert line.endswith("made by portmap")


@pytest.mark.parametrize("mapping", ["5001", "4001", "5001:4001"])
def test_the_port_to_delete_by_force_is_named_by_either_side_or_both(
    router: Router, tmp_path: Path, mapping: str
) -> None:
    add_as_another_program(router, 5001, 4001)
    add_as_another_program(router, 6001, 7001)
    assert force(router, tmp_path, mapping) == 0
    assert outside(router) == [6001]


def test_the_external_port_counts_before_the_internal_one(router: Router, tmp_path: Path) -> None:
    add_as_another_program(router, 5001, 80)
    add_as_another_program(router, 6001, 5001)
    assert force(router, tmp_path, "5001") == 0
    assert outside(router) == [6001]


def test_an_entry_of_another_host_is_not_deleted_by_force(router: Router, tmp_path: Path, told: Told) -> None:
    add_as_another_program(router, 5001, 4001, client="192.168.1.77")
    assert force(router, tmp_path, "5001") == 5
    assert outside(router) == [5001]
    assert told() == ["portmap: 5001/tcp: external port 5001 leads to 192.168.1.77, another host: not deleted"]


def test_force_without_a_port_is_a_mistake(router: Router, tmp_path: Path) -> None:
    add_as_another_program(router, 5001, 4001)
    for mine in (False, True):
        with pytest.raises(SpecError, match="--force needs the ports"):
            force_close_ports(upnp(router), [], tmp_path, mine=mine)
    assert outside(router) == [5001]


def test_a_port_that_no_entry_has_cannot_be_deleted_by_force(router: Router, tmp_path: Path, told: Told) -> None:
    assert force(router, tmp_path, "5001") == 2
    assert "lists no such entry that leads to this host" in told()[0]


def test_a_gateway_that_lists_nothing_is_not_made_to_delete_by_force(
    router: Router, tmp_path: Path, told: Told
) -> None:
    open_(pmp(router), tmp_path, "8080")
    told()
    assert force_close_ports(pmp(router), ["8080"], tmp_path) == 4
    assert "does not list its mappings" in told()[0]
    assert outside(router) == [8080]


def test_what_portmap_open_left_and_force_deleted_is_noted_no_more(router: Router, tmp_path: Path) -> None:
    open_(upnp(router), tmp_path, "8080")
    assert force(router, tmp_path, "8080") == 0
    assert (outside(router), left(tmp_path)) == ([], ())


def test_what_a_running_portmap_holds_is_not_deleted_by_force(router: Router, tmp_path: Path, told: Told) -> None:
    with portmap.open(upnp(router), ["8080"]) as session:
        session.wait(10)
        assert force(router, tmp_path, "8080") == 5
        assert "holds it and would open it again" in told()[-1]
        assert outside(router) == [8080]


def test_json_says_what_was_deleted_by_force(router: Router, tmp_path: Path, told: Told) -> None:
    add_as_another_program(router, 5001, 4001)
    force_close_ports(upnp(router), ["5001"], tmp_path, as_json=True)
    (object_,) = (json.loads(line) for line in told())
    assert (object_["event"], object_["external_port"], object_["internal_port"], object_["description"]) == (
        "closed",
        5001,
        4001,
        "upnpc",
    )
