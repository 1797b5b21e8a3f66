"""Fixtures for hole punching: two STUN servers, and an application that answers."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import pytest
from tests.punch.stun_peer import StunPeer, end_tasks, sockets_at_one_port

from portmap.wire.stun.servers import Server
from portmap_punch import Punch
from portmap_punch.argument import Argument

Punching = Callable[..., Punch]


@pytest.fixture
def peers() -> Iterator[tuple[StunPeer, StunPeer]]:
    with StunPeer() as one, StunPeer() as two:
        yield one, two


@pytest.fixture
def punch(peers: tuple[StunPeer, StunPeer]) -> Iterator[Punch]:
    backend = Punch(Argument(tuple(Server(peer.address, peer.port) for peer in peers)))
    closer = backend.watch(lambda _: None)
    yield backend
    closer()


@pytest.fixture
def application() -> Iterator[int]:
    """A port on which an application echoes, TCP and UDP; TCP until the end of the other direction."""
    with ExitStack() as stack:
        tcp, udp = map(stack.enter_context, sockets_at_one_port("127.0.0.1"))
        port: int = tcp.getsockname()[1]
        loop = asyncio.new_event_loop()
        started = threading.Event()
        thread = threading.Thread(target=_serve, args=(loop, tcp, udp, started), daemon=True)
        thread.start()
        assert started.wait(5)  # a loop that is stopped while it still begins raises
        yield port
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)


def _serve(loop: asyncio.AbstractEventLoop, tcp: socket.socket, udp: socket.socket, started: threading.Event) -> None:
    udp.setblocking(False)

    def echo() -> None:
        with suppress(OSError):
            data, source = udp.recvfrom(65535)
            udp.sendto(data, source)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
            writer.write(b"bye")
        except OSError:
            return
        finally:
            writer.close()

    loop.add_reader(udp, echo)
    loop.run_until_complete(asyncio.start_server(answer, sock=tcp))
    loop.call_soon(started.set)
    loop.run_forever()
    loop.remove_reader(tcp)  # as in StunPeer
    loop.run_until_complete(end_tasks())
    loop.close()
