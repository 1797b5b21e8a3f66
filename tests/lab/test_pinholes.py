"""IPv6 pinholes: bytes from the internet reach the host's own address while a pinhole is open, and at no other time."""

import socket
import struct
import time
from collections.abc import Iterator
from ipaddress import IPv6Address
from pathlib import Path

import pytest
from tests.lab.command import Portmap
from tests.lab.lab import HOST6, NEIGHBOUR6, Lab
from tests.lab.namespace import Namespace
from tests.lab.router import LAN6, LINK6, Entry

NONCE = b"made by hand"
TCP = 6
SPECS = ("pcp", "upnp")
OPEN = Entry("TCP", 4001, HOST6, 4001)


@pytest.fixture
def lab6(laboratory: None) -> Iterator[Lab]:
    """A lab with IPv6, miniupnpd running, and a service at the LAN host's port 4001."""
    with Lab(ipv6=True) as lab:
        lab.router.start_miniupnpd(min_lifetime="3")
        lab.serve(4001)
        yield lab
        print(lab.router.log)  # pytest shows it with a failure only


def ask_pcp(host: Namespace, lifetime: int, *, gateway: str = f"{LINK6}%eth0", source: str = HOST6) -> bytes:
    """A PCP MAP of port 4001 by hand, RFC 6887 §11.1; the answer."""

    def ask() -> bytes:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.settimeout(2)
            sock.bind((source, 0))
            sock.connect(socket.getaddrinfo(gateway, 5351)[0][4])
            head = struct.pack("!BBHI16s", 2, 1, 0, lifetime, IPv6Address(HOST6).packed)
            sock.send(head + struct.pack("!12sB3xHH16x", NONCE, TCP, 4001, 4001))
            return sock.recv(1100)

    return host.inside(ask)


# The lab itself.


@pytest.mark.parametrize("protocol", ["TCP", "UDP"])
def test_without_a_pinhole_no_bytes_arrive(lab6: Lab, protocol: str) -> None:
    assert not lab6.bytes_arrive_by_ipv6(protocol, 4001)


@pytest.mark.parametrize("gateway", [f"{LINK6}%eth0", LAN6])
def test_bytes_arrive_while_a_pinhole_made_by_hand_is_open(lab6: Lab, gateway: str) -> None:
    answer = ask_pcp(lab6.lan, 120, gateway=gateway)
    assert (answer[3], answer[-16:]) == (0, IPv6Address(HOST6).packed)
    assert lab6.router.pinholes() == [OPEN]
    assert lab6.bytes_arrive_by_ipv6("TCP", 4001)
    assert not lab6.bytes_arrive_by_ipv6("UDP", 4001)
    ask_pcp(lab6.lan, 0)
    assert not lab6.bytes_arrive_by_ipv6("TCP", 4001)


def test_no_pinhole_is_opened_to_a_neighbour(lab6: Lab) -> None:
    assert ask_pcp(lab6.neighbour, 120, source=NEIGHBOUR6)[3] == 12  # ADDRESS_MISMATCH
    assert lab6.router.pinholes() == []


def test_miniupnpd_loses_the_nonce_with_a_renewal(lab6: Lab) -> None:
    assert [ask_pcp(lab6.lan, lifetime)[3] for lifetime in (120, 120, 0)] == [0, 0, 2]  # NOT_AUTHORIZED
    assert lab6.router.pinholes() == [OPEN]


# The command.


@pytest.mark.parametrize("spec", SPECS)
def test_one_request_opens_the_mapping_and_the_pinhole(lab6: Lab, spec: str) -> None:
    with Portmap(lab6.lan, "--nat", spec, "4001/both") as portmap:
        for protocol in ("TCP", "UDP"):
            portmap.wait_for("mapping.added", protocol=protocol, external_port=4001)
            portmap.wait_for("pinhole.added", protocol=protocol, internal_port=4001, external_ip=HOST6, scope="public")
            assert lab6.bytes_arrive(protocol, 4001)
            assert lab6.bytes_arrive_by_ipv6(protocol, 4001)


@pytest.mark.parametrize("spec", SPECS)
def test_only_4_opens_no_pinhole(lab6: Lab, spec: str) -> None:
    with Portmap(lab6.lan, "--nat", spec, "-4", "4001") as portmap:
        portmap.wait_for("mapping.added", external_port=4001)
        portmap.stop()
        assert not portmap.told("pinhole.added")
    assert lab6.router.pinholes() == []


@pytest.mark.parametrize("spec", SPECS)
def test_only_6_opens_no_mapping(lab6: Lab, spec: str) -> None:
    with Portmap(lab6.lan, "--nat", spec, "-6", "4001") as portmap:
        portmap.wait_for("pinhole.added", external_port=4001)
        assert lab6.bytes_arrive_by_ipv6("TCP", 4001)
        assert lab6.router.mappings() == []


@pytest.mark.parametrize("spec", SPECS)
def test_a_pinhole_is_shut_on_the_way_out(lab6: Lab, spec: str) -> None:
    with Portmap(lab6.lan, "--nat", spec, "-6", "4001") as portmap:
        portmap.wait_for("pinhole.added")
        assert portmap.stop().code == 0
    assert lab6.router.pinholes() == []
    assert not lab6.bytes_arrive_by_ipv6("TCP", 4001)


@pytest.mark.parametrize("spec", SPECS)
def test_a_pinhole_is_renewed_and_gone_soon_after_the_end(lab6: Lab, spec: str) -> None:
    with Portmap(lab6.lan, "--nat", spec, "-6", "--lease", "6s", "4001") as portmap:
        portmap.wait_for("pinhole.renewed", timeout=15)
        portmap.stop()
    assert spec == "pcp" or lab6.router.pinholes() == []  # by PCP, miniupnpd: see above


@pytest.mark.parametrize("spec", SPECS)
def test_a_restarted_router_gets_the_pinhole_again(lab6: Lab, spec: str) -> None:
    with Portmap(lab6.lan, "--nat", spec, "-6", "--lease", "6s", "4001") as portmap:
        portmap.wait_for("pinhole.added")
        lab6.router.reboot()
        portmap.wait_for("pinhole.renewed", timeout=25)
        assert lab6.bytes_arrive_by_ipv6("TCP", 4001)


@pytest.mark.parametrize("spec", SPECS)
def test_what_a_killed_session_left_open_is_shut_by_the_next(lab6: Lab, spec: str, tmp_path: Path) -> None:
    with Portmap(lab6.lan, "--nat", spec, "-6", "4001", state=tmp_path) as killed:
        killed.wait_for("pinhole.added")
        time.sleep(0.1)  # the journal is written when all is settled, right after the event
    with Portmap(lab6.lan, "--nat", spec, "-6", "4002", state=tmp_path) as portmap:
        portmap.wait_for("pinhole.added", internal_port=4002)
        lab6.router.wait_until_left_open(Entry("TCP", 4002, HOST6, 4002))


@pytest.mark.parametrize("spec", SPECS)
def test_what_a_killed_session_left_open_ends_with_its_lease(lab6: Lab, spec: str) -> None:
    with Portmap(lab6.lan, "--nat", spec, "-6", "--lease", "3s", "4001") as killed:
        killed.wait_for("pinhole.added")
    lab6.router.wait_until_left_open()
    assert not lab6.bytes_arrive_by_ipv6("TCP", 4001)
