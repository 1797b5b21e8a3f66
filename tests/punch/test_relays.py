"""Whether strangers who take what the relays may have keep others out: sockets on loopback."""

import asyncio
import resource
import socket
from collections.abc import Coroutine
from contextlib import ExitStack, closing

import pytest

from portmap.wire.exchange import Peer
from portmap_punch.tcp_relay import RESERVED, TcpRelay
from portmap_punch.udp_relay import UdpRelay

HERE = "127.0.0.1"


def peer(number: int) -> Peer:
    return f"203.0.113.{number}", 4000


def in_a_loop(work: Coroutine[object, object, None]) -> None:
    asyncio.run(work)


def test_a_new_peer_takes_the_place_of_the_one_that_was_silent_for_longest_where_descriptors_run_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work() -> None:
        with closing(UdpRelay(asyncio.get_running_loop(), (HERE, 9), lambda _datagram, _peer: None)) as relay:
            for number in (1, 2, 1):
                relay.deliver(b"hello", peer(number))
                await asyncio.sleep(0.01)
            monkeypatch.setattr(resource, "getrlimit", lambda _: (RESERVED, RESERVED))  # none is left to relays
            relay.deliver(b"hello", peer(3))
            assert set(relay._sockets) == {peer(1), peer(3)}

    in_a_loop(work())


def test_one_address_cannot_take_all_connections() -> None:
    async def work() -> None:
        with ExitStack() as held:
            application = held.enter_context(closing(socket.create_server((HERE, 0))))
            listener = held.enter_context(closing(socket.create_server((HERE, 0))))
            listener.setblocking(False)
            relay = TcpRelay(listener, application.getsockname(), max_of_one=2)
            serving = asyncio.create_task(relay.serve())
            for source in ["127.0.0.2"] * 5 + ["127.0.0.3"]:
                stranger = held.enter_context(closing(socket.socket()))
                stranger.bind((source, 0))
                stranger.connect(listener.getsockname())
            await asyncio.sleep(0.2)
            assert relay._by_address == {"127.0.0.2": 2, "127.0.0.3": 1}
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
            await asyncio.sleep(0.01)
            assert not relay._by_address

    in_a_loop(work())
