"""PCP on the router's port, beside NAT-PMP."""

import socket
import struct
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from portmap.model import Protocol
from portmap.simulator.pcp.packets import Map, Option, mapped
from portmap.testing import Heard, Quirks, Router

Ask: TypeAlias = Callable[..., bytes]
Start: TypeAlias = Callable[..., Router]
NONCE = bytes(range(12))
PEER = "127.0.0.1"
ANNOUNCE = struct.pack("!BBHI", 2, 0, 0, 0) + mapped(PEER).packed
ADDRESS = b"\0\0"


def map_udp(port: int, lifetime: int = 600, *options: Option) -> bytes:
    request = Map(mapped(PEER), lifetime, NONCE, 17, port, 0, mapped("0.0.0.0"), options)  # noqa: S104  # not bound to
    return struct.pack("!BBHI", 2, 1, 0, lifetime) + mapped(PEER).packed + request.encode_body()


def answer_of(router: Router, sock: socket.socket, data: bytes) -> bytes:
    sock.sendto(data, (router.address, router.pmp_port))
    return sock.recv(2048)


def test_pcp_and_natpmp_share_a_port(router: Router, ask: Ask) -> None:
    assert ask(router.pmp_port, ANNOUNCE)[:4].hex() == "02800000"
    assert ask(router.pmp_port, ADDRESS)[:4].hex() == "00800000"
    assert router.heard == Heard(announce=1, address=1)


def test_a_mapping_by_pcp_really_leads_inside(router: Router, ask: Ask, udp_service: socket.socket) -> None:
    answer = ask(router.pmp_port, map_udp(udp_service.getsockname()[1]))
    external_port = struct.unpack_from("!H", answer, 42)[0]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outside:
        outside.sendto(b"hello", (router.outside, external_port))
        assert udp_service.recv(16) == b"hello"
    assert router.heard == Heard(pcp_map=1)


def test_a_deletion_by_pcp_is_counted(router: Router, ask: Ask) -> None:
    ask(router.pmp_port, map_udp(20001))
    ask(router.pmp_port, map_udp(20001, 0))
    assert (router.heard, router.entries) == (Heard(pcp_map=1, pcp_unmap=1), ())


def test_another_version_is_told_ours(router: Router, ask: Ask) -> None:
    answer = ask(router.pmp_port, b"\3" + ANNOUNCE[1:])
    assert (len(answer), answer[0], answer[3]) == (24, 2, 1)


def test_a_router_without_pcp_answers_it_in_natpmp_with_the_response_bit_clear(
    start: Start, sock: socket.socket
) -> None:
    assert answer_of(start(pcp=False), sock, ANNOUNCE).hex() == "0000000100000000"


def test_r_bit_in_version_error_is_what_miniupnpd_says(start: Start, sock: socket.socket) -> None:
    router = start(pcp=False, quirks=Quirks(r_bit_in_version_error=True))
    assert answer_of(router, sock, map_udp(20001)).hex() == "0081000100000000"


def test_a_router_with_pcp_alone_answers_natpmp_in_pcp(start: Start, sock: socket.socket) -> None:
    answer = answer_of(start(pmp=False, pcp=True), sock, ADDRESS)
    assert (answer[0], answer[1], answer[3]) == (2, 0x80, 1)


def test_without_natpmp_there_is_no_pcp_unless_asked_for(start: Start) -> None:
    assert start(pmp=False).pmp_port == 0


def test_the_epoch_is_the_same_in_both(router: Router, ask: Ask, clock: Any) -> None:
    clock.now += 3600
    assert ask(router.pmp_port, ANNOUNCE)[8:12] == ask(router.pmp_port, ADDRESS)[4:8] == struct.pack("!I", 3600)


@pytest.mark.parametrize(("pcp", "epoch"), [(True, 0), (False, 3600)])
def test_a_new_external_address_begins_a_new_epoch_where_pcp_is_spoken(
    start: Start, sock: socket.socket, clock: Any, pcp: bool, epoch: int
) -> None:
    router = start(pcp=pcp)
    clock.now += 3600
    router.external_ip = "203.0.113.9"
    assert answer_of(router, sock, ADDRESS)[4:8] == struct.pack("!I", epoch)


def test_a_new_external_address_leaves_the_mappings_alone(router: Router, ask: Ask) -> None:
    ask(router.pmp_port, map_udp(20001))
    router.external_ip = "203.0.113.9"
    assert [entry.protocol for entry in router.entries] == [Protocol.UDP]
