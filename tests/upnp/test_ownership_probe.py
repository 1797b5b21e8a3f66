import socket
from ipaddress import IPv4Address
from pathlib import Path
from typing import NoReturn

import pytest

from portmap_upnp.neighbour import answers_tcp, lives_at

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
def test_who_may_not_be_asked_counts_as_alive(client: str, arp: Path) -> None:
    assert lives_at(client, 30303, answers=must_not_be_asked, arp=arp)


def test_who_answers_is_alive(arp: Path) -> None:
    assert lives_at("10.9.8.6", 30303, answers=lambda *_: True, arp=arp)


@pytest.mark.parametrize("client", ["10.9.8.6", "10.9.8.5"])
def test_who_answers_neither_us_nor_arp_is_nobody(client: str, arp: Path) -> None:
    assert not lives_at(client, 30303, answers=lambda *_: False, arp=arp)


def test_who_hides_behind_a_firewall_is_given_away_by_arp(arp: Path) -> None:
    assert lives_at("10.9.8.7", 30303, answers=lambda *_: False, arp=arp)


def test_without_an_arp_table_silence_means_nobody(tmp_path: Path) -> None:
    assert not lives_at("10.9.8.7", 30303, answers=lambda *_: False, arp=tmp_path / "none")


def test_to_accept_or_to_refuse_is_an_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
        assert answers_tcp(LOOPBACK, port)
    assert answers_tcp(LOOPBACK, port)


def test_a_full_house_that_keeps_us_waiting_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as door, socket.create_connection(door.getsockname()):
        assert not answers_tcp(LOOPBACK, door.getsockname()[1], patience=0.05)
