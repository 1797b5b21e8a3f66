"""What is mapped is really forwarded: bytes, both ways, and no longer than the lease."""

import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any, TypeAlias

import pytest

from portmap.model import Protocol
from portmap.testing import Entry, Router

Open: TypeAlias = Callable[..., int]
OPCODE = {socket.SOCK_DGRAM: 1, socket.SOCK_STREAM: 2}
TIMEOUT = 2.0


@pytest.fixture
def mapped(router: Router) -> Open:
    """Map a service by NAT-PMP: the external port."""

    def ask(service: socket.socket, lifetime: int = 60) -> int:
        with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
            sock.settimeout(TIMEOUT)
            sock.connect((router.address, router.pmp_port))
            sock.send(struct.pack("!BBHHHI", 0, OPCODE[service.type], 0, service.getsockname()[1], 0, lifetime))
            _, port, _ = struct.unpack_from("!HHI", sock.recv(16), 8)
        return int(port)

    return ask


@pytest.fixture
def call(router: Router) -> Iterator[Callable[[int], socket.socket]]:
    """Connect from outside."""
    calls: list[socket.socket] = []

    def connect(port: int) -> socket.socket:
        calls.append(socket.create_connection((router.outside, port), timeout=TIMEOUT))
        return calls[-1]

    yield connect
    for sock in calls:
        sock.close()


@pytest.fixture
def joined(
    service: socket.socket, mapped: Open, call: Callable[[int], socket.socket]
) -> Iterator[tuple[socket.socket, socket.socket]]:
    """The two ends of a connection through the router: outside, inside."""
    outside = call(mapped(service))
    inside, _ = service.accept()
    with closing(inside):
        inside.settimeout(TIMEOUT)
        yield outside, inside


def gathered(sock: socket.socket) -> bytes:
    parts = iter(lambda: sock.recv(65536), b"")
    return b"".join(parts)


def test_tcp_bytes_arrive_inside(joined: tuple[socket.socket, socket.socket]) -> None:
    outside, inside = joined
    outside.sendall(b"hello")
    assert inside.recv(16) == b"hello"


def test_tcp_bytes_come_back(joined: tuple[socket.socket, socket.socket]) -> None:
    outside, inside = joined
    inside.sendall(b"welcome")
    assert outside.recv(16) == b"welcome"


def test_the_end_of_one_side_leaves_the_other_open(joined: tuple[socket.socket, socket.socket]) -> None:
    outside, inside = joined
    outside.shutdown(socket.SHUT_WR)
    assert inside.recv(16) == b""
    inside.sendall(b"still here")
    assert outside.recv(16) == b"still here"


def test_more_than_any_buffer_arrives_whole(joined: tuple[socket.socket, socket.socket]) -> None:
    outside, inside = joined
    sent = bytes(range(256)) * 40_000
    inside.setblocking(False)
    outside.setblocking(False)
    assert through(outside, inside, sent) == sent


def through(outside: socket.socket, inside: socket.socket, data: bytes) -> bytes:
    """Push the data in at one end and gather it at the other, in one thread."""
    sent, got, deadline = 0, bytearray(), time.monotonic() + TIMEOUT
    while len(got) < len(data) and time.monotonic() < deadline:
        with suppress(BlockingIOError):
            sent += outside.send(data[sent : sent + 65536])
        with suppress(BlockingIOError):
            got += inside.recv(65536)
    return bytes(got)


def test_udp_goes_both_ways(router: Router, udp_service: socket.socket, mapped: Open) -> None:
    port = mapped(udp_service)
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as outside:
        outside.settimeout(TIMEOUT)
        outside.sendto(b"ping", (router.outside, port))
        data, sender = udp_service.recvfrom(16)
        udp_service.sendto(b"pong " + data, sender)
        assert outside.recvfrom(16) == (b"pong ping", (router.outside, port))


def test_each_udp_sender_gets_its_own_answers(router: Router, udp_service: socket.socket, mapped: Open) -> None:
    port = mapped(udp_service)
    callers = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(3)]
    for number, caller in enumerate(callers):
        caller.settimeout(TIMEOUT)
        caller.sendto(bytes([number]), (router.outside, port))
    for _ in callers:
        udp_service.sendto(*udp_service.recvfrom(16))
    assert [caller.recv(16) for caller in callers] == [b"\0", b"\1", b"\2"]
    for caller in callers:
        caller.close()


def test_without_a_service_inside_the_caller_is_cut_off(
    service: socket.socket, mapped: Open, call: Callable[[int], socket.socket]
) -> None:
    port = mapped(service)
    service.close()
    assert call(port).recv(16) == b""


def refused(router: Router, port: int) -> bool:
    with closing(socket.socket()) as sock:
        return sock.connect_ex((router.outside, port)) != 0


def test_an_unmapped_port_is_shut(router: Router, service: socket.socket, mapped: Open) -> None:
    port = mapped(service)
    mapped(service, lifetime=0)
    assert refused(router, port)


def test_an_expired_port_is_shut(router: Router, service: socket.socket, mapped: Open, clock: Any) -> None:
    port = mapped(service, lifetime=60)
    clock.now += 60
    assert until(lambda: refused(router, port))


def until(true: Callable[[], bool]) -> bool:
    """Whether it becomes true within a second: the router looks at a scripted clock twenty times in one."""
    deadline = time.monotonic() + 1
    while not (now := true()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return now


def test_a_reboot_cuts_what_is_connected(router: Router, joined: tuple[socket.socket, socket.socket]) -> None:
    outside, inside = joined
    router.reboot()
    assert (outside.recv(16), inside.recv(16)) == (b"", b"")


def test_a_reboot_shuts_the_port(router: Router, service: socket.socket, mapped: Open) -> None:
    port = mapped(service)
    router.reboot()
    assert refused(router, port)


def test_a_port_that_a_program_outside_has_is_not_granted(router: Router, service: socket.socket, mapped: Open) -> None:
    taken = service.getsockname()[1]
    with closing(socket.create_server((router.outside, taken))):
        assert mapped(service) != taken


def test_a_mapping_to_the_real_lan_is_never_relayed(router: Router) -> None:
    router._sockets._forwarder.follow((Entry(Protocol.TCP, 20000, "192.0.2.1", 80, 60),))
    assert refused(router, 20000)
