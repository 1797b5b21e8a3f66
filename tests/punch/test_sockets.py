"""No socket is left behind, whenever a call is given up. A forgotten one would warn, which is an error here."""

import asyncio
import errno
import gc
import resource
import socket
from collections.abc import Callable, Coroutine

import pytest

from portmap_punch.stun_connection import StunConnection
from portmap_punch.tcp_hole import TcpHole
from portmap_punch.tcp_relay import RESERVED, TcpRelay
from portmap_punch.udp_relay import UdpRelay

REAL = socket.socket
ROUNDS = 5  # of the event loop, in which what was cancelled ends


async def _rounds(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def in_a_loop(work: Callable[[], Coroutine[object, object, None]]) -> None:
    asyncio.run(work())


@pytest.mark.parametrize("before", range(3))
@pytest.mark.parametrize("after", range(1, 4))
def test_a_connection_whose_close_is_given_up_is_closed_all_the_same(before: int, after: int) -> None:
    async def work() -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            connection = StunConnection(ours)
            connection.start()
            await _rounds(before)
            closing = asyncio.create_task(connection.close())
            await _rounds(after)
            closing.cancel()
            await _rounds(ROUNDS)
            assert ours.fileno() == -1

    in_a_loop(work)


def test_a_connection_that_the_server_ended_is_closed_at_once_and_gives_no_answer() -> None:
    async def work() -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        connection = StunConnection(ours)
        connection.start()
        theirs.close()
        await connection.ended.wait()
        await _rounds(ROUNDS)
        assert ours.fileno() == -1
        assert await connection.ask() is None
        await connection.close()

    in_a_loop(work)


def no_socket(family: int = -1, kind: int = -1, proto: int = -1, *, fileno: int | None = None) -> socket.socket:
    """As `socket.socket` where descriptors have run out: what was accepted is there already."""
    if fileno is None:
        raise OSError(errno.EMFILE, "Too many open files")
    return REAL(family, kind, proto, fileno)


def test_a_connection_that_the_relay_has_no_descriptor_for_is_ended_without_a_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    faults: list[object] = []

    async def work() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        with listener, socket.create_connection(listener.getsockname()) as peer:
            peer.setblocking(False)
            monkeypatch.setattr(socket, "socket", no_socket)
            serving = asyncio.create_task(TcpRelay(listener, ("127.0.0.1", 1)).serve())
            assert await asyncio.wait_for(asyncio.get_running_loop().sock_recv(peer, 1), 5) == b""
            serving.cancel()
            await _rounds(ROUNDS)

    in_a_loop(work)
    gc.collect()
    assert faults == []


def test_a_server_that_there_is_no_descriptor_for_gives_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        hole = TcpHole.bind()
        monkeypatch.setattr(socket, "socket", no_socket)
        assert await hole.ask([("127.0.0.1", 1)]) == [None]
        await hole.close()

    in_a_loop(work)


def test_relays_leave_descriptors_to_the_rest_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        with listener, socket.create_server(("127.0.0.1", 0)) as application:
            monkeypatch.setattr(resource, "getrlimit", lambda _: (RESERVED, 4096))  # none is left to relays
            serving = asyncio.create_task(TcpRelay(listener, application.getsockname()).serve())
            with socket.create_connection(listener.getsockname()) as peer:
                peer.setblocking(False)
                assert await asyncio.wait_for(asyncio.get_running_loop().sock_recv(peer, 1), 5) == b""
            serving.cancel()
            await _rounds(ROUNDS)
            relay = UdpRelay(asyncio.get_running_loop(), application.getsockname(), lambda _, __: None)
            relay.deliver(b"hello", ("127.0.0.1", 9))
            assert relay._sockets == {}

    in_a_loop(work)


@pytest.mark.parametrize("after", range(6))
def test_a_relay_that_ends_while_a_connection_comes_in_leaves_no_socket(after: int) -> None:
    async def work() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        with listener:
            serving = asyncio.create_task(TcpRelay(listener, ("127.0.0.1", 1)).serve())
            await _rounds(ROUNDS)
            with socket.create_connection(listener.getsockname()):
                await _rounds(after)
                serving.cancel()
                await _rounds(ROUNDS)

    in_a_loop(work)
