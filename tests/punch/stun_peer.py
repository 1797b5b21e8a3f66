"""A STUN server on loopback, over UDP and TCP of one port. What it tells a client is scripted, so it plays a NAT."""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address
from types import TracebackType
from typing import Self

from portmap.simulator.loopback import loopback_address

COOKIE = 0x2112A442
Place = tuple[str, int]


async def end_tasks() -> None:
    """Cancel what still runs in this loop, and let it close its sockets."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    if tasks:
        _, tasks = await asyncio.wait(tasks, timeout=1)  # those of closed connections end by themselves
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)


def sockets_at_one_port(address: str) -> tuple[socket.socket, socket.socket]:
    """A listening TCP socket and a UDP socket, at a port that is free for both."""
    for _ in range(100):
        tcp = socket.create_server((address, 0))
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            udp.bind(tcp.getsockname())
        except OSError:  # another socket has it
            tcp.close()
            udp.close()
        else:
            return tcp, udp
    raise OSError(f"no port of {address} is free for TCP and UDP")


class StunPeer:
    """`sees`: the address and port that it tells a client of that source; the source itself by default.

    `other`: the second address and port that it states (RFC 5780). It knows no CHANGE-REQUEST.
    """

    def __init__(self, sees: Callable[[Place], Place | None] = lambda source: source) -> None:
        self.sees = sees
        self.other: Place | None = None
        self.address = loopback_address()
        self.asked: list[tuple[str, int]] = []
        self._tcp, self._udp = sockets_at_one_port(self.address)
        self._udp.setblocking(False)
        self._tcp.setblocking(False)
        self.port: int = self._udp.getsockname()[1]
        self.connections: set[asyncio.BaseTransport] = set()
        self._started = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def peer(self) -> Place:
        """Where it answers."""
        return self.address, self.port

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(5)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._udp.close()
        self._tcp.close()

    def cut(self) -> None:
        """End every TCP connection, as a server that restarts does."""
        self._loop.call_soon_threadsafe(self._close_connections)

    def _close_connections(self) -> None:
        for connection in tuple(self.connections):
            connection.close()

    def _run(self) -> None:
        self._loop.add_reader(self._udp, self._read)
        server = self._loop.run_until_complete(self._loop.create_server(lambda: _Talk(self), sock=self._tcp))
        self._loop.call_soon(self._started.set)
        self._loop.run_forever()
        # A connection that is being accepted while a server closes is lost unclosed.
        self._loop.remove_reader(self._tcp)
        self._loop.run_until_complete(self._end_connections())
        server.close()
        self._loop.run_until_complete(end_tasks())
        self._loop.close()

    async def _end_connections(self) -> None:
        """End every connection, those that are being accepted too, until each socket is closed."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        while self.connections or not all(task.done() for task in others):
            self._close_connections()
            await asyncio.sleep(0.001)

    def _read(self) -> None:
        with suppress(OSError):
            data, source = self._udp.recvfrom(2048)
            if answer := self.answer(data, source):
                self._udp.sendto(answer, source)

    def answer(self, data: bytes, source: Place) -> bytes:
        """The answer to a question from there; nothing for what is no question."""
        if len(data) < 20 or data[:2] != b"\0\1":
            return b""
        self.asked.append(source)
        seen = self.sees(source)
        if seen is None:
            return b""
        attributes = _attribute(0x0001, seen) + (_attribute(0x802C, self.other) if self.other else b"")
        return struct.pack("!HHI", 0x0101, len(attributes), COOKIE) + data[8:20] + attributes


def _attribute(kind: int, place: Place) -> bytes:
    """MAPPED-ADDRESS, or OTHER-ADDRESS."""
    address = ip_address(place[0])
    value = struct.pack("!BBH", 0, 1 if address.version == 4 else 2, place[1]) + address.packed
    return struct.pack("!HH", kind, len(value)) + value


class _Talk(asyncio.Protocol):
    """A TCP connection: each question is answered."""

    def __init__(self, peer: StunPeer) -> None:
        self._peer = peer
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._peer.connections.add(transport)

    def connection_lost(self, _: Exception | None) -> None:
        self._peer.connections.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._data += data
        while len(self._data) >= 20:
            question, self._data = self._data[:20], self._data[20:]
            if answer := self._peer.answer(question, self._transport.get_extra_info("peername")):
                self._transport.write(answer)
