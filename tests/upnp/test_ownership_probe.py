import socket
from ipaddress import IPv4Address
from pathlib import Path
from typing import NoReturn

import pytest

from portmap_upnp.mapping.ownership import answers_tcp, is_host_present

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


def must_not_be_asked(*_: object) -> NoReturn:
    raise AssertionError


@pytest.mark.parametrize("client", ["router.lan", "", "8.8.8.8", "::1", "0.0.0.0", "224.0.0.1"])  # noqa: S104  # no bind
def test_a_client_that_may_not_be_asked_counts_as_present(client: str, arp: Path) -> None:
    assert is_host_present(client, 30303, answers=must_not_be_asked, arp=arp)


def test_a_client_that_answers_is_present(arp: Path) -> None:
    assert is_host_present("10.9.8.6", 30303, answers=lambda *_: True, arp=arp)


@pytest.mark.parametrize("client", ["10.9.8.6", "10.9.8.5"])
def test_a_client_that_answers_neither_tcp_nor_arp_is_absent(client: str, arp: Path) -> None:
    assert not is_host_present(client, 30303, answers=lambda *_: False, arp=arp)


def test_a_client_behind_a_firewall_is_found_by_arp(arp: Path) -> None:
    assert is_host_present("10.9.8.7", 30303, answers=lambda *_: False, arp=arp)


def test_without_an_arp_table_silence_means_absent(tmp_path: Path) -> None:
    assert not is_host_present("10.9.8.7", 30303, answers=lambda *_: False, arp=tmp_path / "none")


def test_to_accept_or_to_refuse_is_an_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert answers_tcp(LOOPBACK, port)
    assert answers_tcp(LOOPBACK, port)


def test_a_full_backlog_that_keeps_us_waiting_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, socket.create_connection(server.getsockname()):
        assert not answers_tcp(LOOPBACK, server.getsockname()[1], timeout=0.05)
