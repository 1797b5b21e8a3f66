import socket
from ipaddress import IPv4Address
from pathlib import Path
from typing import NoReturn

import pytest

from portmap_upnp.mapping.ownership import MAX_ADDRESSES, PresenceProbe, answers_tcp, is_host_present

TABLE = """IP address       HW type     Flags       HW address            Mask     Device
10.9.8.7         0x1         0x2         52:54:00:12:34:56     *        eth0
10.9.8.6         0x1         0x0         00:00:00:00:00:00     *        eth0
nonsense
"""
LOOPBACK = IPv4Address("127.0.0.1")


@pytest.fixture
def arp(tmp_path: Path) -> Path:
    table = tmp_path / "arp"
    table.write_text(TABLE)
    return table


def on_link(_: IPv4Address) -> bool:
    return True


def must_not_be_asked(*_: object) -> NoReturn:
    raise AssertionError


@pytest.mark.parametrize("client", ["router.lan", "", "8.8.8.8", "::1", "0.0.0.0", "224.0.0.1"])  # noqa: S104  # no bind
def test_a_client_that_may_not_be_asked_counts_as_present(client: str, arp: Path) -> None:
    assert is_host_present(client, 30303, answers=must_not_be_asked, arp=arp)


@pytest.mark.parametrize("client", ["8.8.8.8", "100.64.0.9", "0.0.0.0", "224.0.0.1"])  # noqa: S104  # no bind
def test_a_gateway_cannot_make_us_knock_at_an_address_that_is_not_private(client: str, arp: Path) -> None:
    # As where the link's network is one of public addresses.
    assert is_host_present(client, 22, answers=must_not_be_asked, arp=arp, is_on_link=on_link)


def test_a_gateway_cannot_make_us_knock_at_a_host_of_another_network(arp: Path) -> None:
    # It knows our description, so it can write any address beside it.
    for client in ("10.9.8.6", "172.16.0.1", "192.168.55.1"):
        assert is_host_present(client, 22, answers=must_not_be_asked, arp=arp, is_on_link=lambda _: False)


def test_a_gateway_cannot_make_us_knock_at_one_host_after_another() -> None:
    knocked: list[str] = []

    def is_present(client: str, _port: int) -> bool:
        knocked.append(client)
        return False

    probe = PresenceProbe(is_present)
    for number in range(2, 250):
        probe(f"192.168.7.{number}", 22)
    assert len(knocked) == MAX_ADDRESSES
    assert probe("192.168.7.99", 22)  # what may not be asked counts as present
    assert not probe("192.168.7.2", 22)  # asked before


def test_a_client_that_answers_is_present(arp: Path) -> None:
    assert is_host_present("10.9.8.6", 30303, answers=lambda *_: True, arp=arp, is_on_link=on_link)


@pytest.mark.parametrize("client", ["10.9.8.6", "10.9.8.5", "010.009.008.006", "10.9.8.6/24", " 10.9.8.6 "])
def test_a_client_that_answers_neither_tcp_nor_arp_is_absent(client: str, arp: Path) -> None:
    assert not is_host_present(client, 30303, answers=lambda *_: False, arp=arp, is_on_link=on_link)


def test_a_client_behind_a_firewall_is_found_by_arp(arp: Path) -> None:
    assert is_host_present("10.9.8.7", 30303, answers=lambda *_: False, arp=arp, is_on_link=on_link)


def test_without_an_arp_table_silence_means_absent(tmp_path: Path) -> None:
    assert not is_host_present("10.9.8.7", 30303, answers=lambda *_: False, arp=tmp_path / "none", is_on_link=on_link)


def test_to_accept_or_to_refuse_is_an_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert answers_tcp(LOOPBACK, port)
    assert answers_tcp(LOOPBACK, port)


def test_a_full_backlog_that_keeps_us_waiting_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, socket.create_connection(server.getsockname()):
        assert not answers_tcp(LOOPBACK, server.getsockname()[1], timeout=0.05)
