"""TcpHole: one local TCP port, kept open in the NATs by connections to STUN servers that stay. Engine thread only.

The connections and the listener share the local port (SO_REUSEADDR and SO_REUSEPORT): peers' connections arrive at the
port that the NATs have mapped for these.
"""

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field

from portmap.errors import NoGateway
from portmap.network.interface import use_interface
from portmap.wire.exchange import Peer
from portmap.wire.stun.message import Endpoint
from portmap_punch.stun_connection import StunConnection

CONNECT = 4.0  # seconds
BACKLOG = 256


@dataclass(slots=True)
class TcpHole:
    """The listener, and a connection to each server; at the interface, if one is given."""

    listener: socket.socket
    interface: str | None = None
    _kept: dict[Peer, StunConnection] = field(default_factory=dict)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _closed: bool = False

    @classmethod
    def bind(cls, port: int = 0, interface: str | None = None) -> "TcpHole":
        """A hole at a local port of the interface; 0: any port, None: every interface. Raises NoGateway."""
        listener = _socket()
        try:
            use_interface(listener, interface)
            listener.bind(("", port))
            listener.listen(BACKLOG)
        except OSError as error:
            listener.close()
            raise NoGateway(f"TCP port {port} cannot be opened here: {error.strerror or error}") from error
        return cls(listener, interface)

    @property
    def local_port(self) -> int:
        """The local port."""
        return int(self.listener.getsockname()[1])

    async def close(self) -> None:
        """End the connections, and listen no more. A question that is under way gets no answer."""
        self._closed = True
        while self._kept:
            await self._kept.popitem()[1].close()
        self.listener.close()

    async def ask(self, peers: Sequence[Peer]) -> list[Endpoint | None]:
        """Where each server sees the port; None for no answer. Connections that answer are kept for the next time."""
        async with self._turn:
            for peer in self._kept.keys() - set(peers):
                await self._kept.pop(peer).close()
            return await asyncio.gather(*map(self._see, peers))

    async def broken(self) -> None:
        """Wait until one of the kept connections ends."""
        waits = [asyncio.create_task(connection.ended.wait()) for connection in self._kept.values()]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _see(self, peer: Peer) -> Endpoint | None:
        """The answer of the kept connection, else of a new one."""
        return await self._ask_kept(peer) or await self._ask_new(peer)

    async def _ask_kept(self, peer: Peer) -> Endpoint | None:
        connection = self._kept.get(peer)
        if connection is None:
            return None
        endpoint = await connection.ask()
        if endpoint is None:
            self._kept.pop(peer, None)
            await connection.close()
        return endpoint

    async def _ask_new(self, peer: Peer) -> Endpoint | None:
        connection = await self._connect(peer)
        if connection is None:
            return None
        if self._closed:
            await connection.close()
            return None
        self._kept[peer] = connection
        return await self._ask_kept(peer)

    async def _connect(self, peer: Peer) -> StunConnection | None:
        try:
            sock = _socket()
        except OSError:  # descriptors have run out
            return None
        try:
            use_interface(sock, self.interface)
            sock.bind(("", self.local_port))  # of a hole that is closed there is none: an OSError
            async with asyncio.timeout(CONNECT):
                await asyncio.get_running_loop().sock_connect(sock, peer)
        except (OSError, TimeoutError):
            sock.close()
            return None
        except BaseException:  # a cancellation: no other code closes the socket
            sock.close()
            raise
        connection = StunConnection(sock)
        connection.start()
        return connection


def _socket() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "SO_REUSEPORT"):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    return sock
