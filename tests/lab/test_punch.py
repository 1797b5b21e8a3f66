"""`punch` through a provider's NAT that answers no questions, with real coturn; bytes from a host that was never
contacted prove it.
"""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.lab.carrier import FULL_CONE, SYMMETRIC, become
from tests.lab.command import PORTMAP, Portmap, Program
from tests.lab.lab import HOST, INTERNET, Lab
from tests.lab.router import WAN
from tests.lab.test_stun import coturn

SECOND, THIRD = "11.22.33.253", "11.22.33.252"
SPEC = f"punch:{INTERNET}+{SECOND}"
PORT = 4001


@pytest.fixture
def servers(quiet_lab: Lab, tmp_path: Path) -> Iterator[Lab]:
    """coturn on two addresses of the internet host; no router maps ports."""
    quiet_lab.internet.ip(f"addr add {SECOND}/8 dev eth0", f"addr add {THIRD}/8 dev eth0")
    with coturn(quiet_lab.internet, tmp_path, INTERNET, SECOND, discovery=True):
        yield quiet_lab


def answers(protocol: str, port: int, wait: float = 2) -> bool:
    """Whether bytes from an address that was never contacted are answered by the service. Call it inside."""
    kind = socket.SOCK_STREAM if protocol == "TCP" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as sock, suppress(OSError):
        sock.settimeout(wait)
        sock.bind((THIRD, 0))
        sock.connect((WAN, port))
        sock.send(b"0123456789")
        return sock.recv(100) != b""
    return False


def source_seen(lab: Lab, protocol: str, port: int) -> str:
    """The address from which the application on the LAN host sees a packet of the third address come."""
    kind = socket.SOCK_STREAM if protocol == "TCP" else socket.SOCK_DGRAM

    def listening() -> socket.socket:
        sock = socket.socket(socket.AF_INET, kind)
        sock.bind(("", PORT))
        sock.settimeout(5)
        if protocol == "TCP":
            sock.listen()
        return sock

    with lab.lan.inside(listening) as application:
        lab.internet.inside(lambda: answers(protocol, port, wait=0.1))
        if protocol == "UDP":
            return str(application.recvfrom(100)[1][0])
        connection, source = application.accept()
        connection.close()
        return str(source[0])


@pytest.mark.parametrize("protocol", ["TCP", "UDP"])
def test_bytes_from_a_host_that_was_never_contacted_arrive_through_a_full_cone(servers: Lab, protocol: str) -> None:
    become(servers, FULL_CONE)
    servers.serve(PORT)
    with Portmap(servers.lan, "--nat", SPEC, f"{PORT}/{protocol.lower()}") as portmap:
        told = portmap.wait_for("mapping.added", external_ip=WAN)
        port = int(told["external_port"])
        assert servers.internet.inside(lambda: answers(protocol, port))
        assert portmap.stop().code == 0
    assert not servers.internet.inside(lambda: answers(protocol, port))


def test_a_symmetric_nat_is_refused_with_the_reason(servers: Lab) -> None:
    become(servers, SYMMETRIC)
    with Portmap(servers.lan, "--nat", SPEC, f"{PORT}/udp") as portmap:
        told = portmap.wait_for("mapping.failed", error="Refused")
        assert "maps each destination to another port" in told["reason"]


def test_another_outer_address_is_published_within_one_keep_alive(servers: Lab) -> None:
    become(servers, FULL_CONE)
    with Portmap(servers.lan, "--nat", SPEC, f"{PORT}/udp") as portmap:
        portmap.wait_for("mapping.added", external_ip=WAN)
        servers.wan_address("11.22.33.7")
        portmap.wait_for("mapping.changed", external_ip="11.22.33.7", timeout=26 + 4)


def test_tcp_and_udp_have_one_port_where_the_nat_keeps_port_numbers(servers: Lab) -> None:
    become(servers, FULL_CONE)
    with Portmap(servers.lan, "--nat", SPEC, f"{PORT}/both") as portmap:
        record = portmap.wait_for("record.changed")
        assert record["tcp"] == record["udp"]


@pytest.mark.parametrize(
    ("address", "verdict", "event"),
    [("127.0.0.1", "open", "mapping.reachable"), (HOST, "closed", "mapping.unreachable")],
)
def test_a_program_is_checked_where_the_relay_reaches_it(
    servers: Lab, tmp_path: Path, address: str, verdict: str, event: str
) -> None:
    become(servers, FULL_CONE)
    via, state = f"http://{INTERNET}:8080", tmp_path / "state"
    with Program(servers.internet, *PORTMAP, "echo", "--json") as responder:
        responder.wait_for("echo.listening")
        program = servers.lan.inside(lambda: socket.create_server((address, PORT)))
        with program, Portmap(servers.lan, "--nat", SPEC, "--prove", via, str(PORT), state=state) as portmap:
            portmap.wait_for(event)
            time.sleep(1.1)  # the responder tries a port of one address once a second
            command = [*PORTMAP, "check", str(PORT), "--nat", SPEC, "--via", via, "--json", "--state", str(state)]
            told = json.loads(servers.lan.run(["sh", "-c", '"$@" || true', "sh", *command]))
    assert told["verdict"] == verdict, told


@pytest.mark.parametrize("protocol", ["TCP", "UDP"])
def test_with_nft_the_application_sees_its_peers_and_no_rule_is_left_behind(servers: Lab, protocol: str) -> None:
    become(servers, FULL_CONE)
    with Portmap(servers.lan, "--nat", f"{SPEC}?forward=nft", f"{PORT}/{protocol.lower()}") as portmap:
        port = int(portmap.wait_for("mapping.added")["external_port"])
        assert source_seen(servers, protocol, port) == THIRD
        portmap.process.kill()
        portmap.process.wait(5)
    for _ in range(50):
        if "portmap_punch" not in servers.lan.run(["nft", "list", "tables"]):
            return
        time.sleep(0.1)
    pytest.fail("the table outlived the process")
