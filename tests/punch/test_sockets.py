"""No socket is left behind, whenever a call is given up. A forgotten one would warn, which is an error here."""

import asyncio
import socket
from collections.abc import Callable, Coroutine

import pytest

from portmap_punch.stun_connection import StunConnection
from portmap_punch.tcp_relay import TcpRelay

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
