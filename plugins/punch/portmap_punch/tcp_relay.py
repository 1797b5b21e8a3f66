"""TcpRelay: hands connections of peers to the application. Engine thread only. Bounded.

Bytes are read only when those before them were written, so a slow reader slows the writer; the end of one direction is
passed on, and the other goes on (half-close). The application sees this host as the source of all connections, so
it cannot count them by peer: that is done here.
"""

import asyncio
import socket
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from portmap.wire.exchange import Peer

CONNECT = 5.0  # seconds for the application to take a connection
IDLE = 7440.0  # seconds without a byte either way: RFC 5382 §5, REQ-5: two hours and four minutes
MAX_CONNECTIONS = 2048
MAX_OF_ONE = 64  # connections of one address
RESERVED = 96  # descriptors that relays leave to the rest of the process
CHUNK = 64 * 1024  # bytes, for each direction of a connection


@dataclass(slots=True)
class TcpRelay:
    """Accepts at the hole's listener and connects to the application."""

    listener: socket.socket
    application: Peer
    max_connections: int = MAX_CONNECTIONS
    max_of_one: int = MAX_OF_ONE
    idle: float = IDLE
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _by_address: Counter[str] = field(default_factory=Counter)

    async def serve(self) -> None:
        """Accept until cancelled; connections above the bound wait in the backlog, those of one address are closed."""
        try:
            while True:
                if len(self._tasks) >= self.max_connections:
                    await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
                await _until_readable(self.listener)
                try:
                    connection, (address, _) = self.listener.accept()  # not `sock_accept`: cancelled, it loses one
                except OSError:  # the peer has gone already, or descriptors have run out
                    await asyncio.sleep(0.05)
                    continue
                if is_reserved(connection) or self._by_address[address] >= self.max_of_one:
                    connection.close()
                    continue
                self._by_address[address] += 1
                task = asyncio.create_task(self._relay(connection))
                self._tasks.add(task)
                task.add_done_callback(partial(self._end, connection, address))
        finally:
            for task in self._tasks:
                task.cancel()

    def _end(self, outer: socket.socket, address: str, task: "asyncio.Task[None]") -> None:
        """The task has ended, maybe before it began."""
        outer.close()
        self._by_address -= Counter([address])
        self._tasks.discard(task)

    async def _relay(self, outer: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as inner:
                for sock in (outer, inner):
                    sock.setblocking(False)
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                async with asyncio.timeout(CONNECT):
                    await loop.sock_connect(inner, self.application)
                await self._both_ways(outer, inner)
        except* (OSError, TimeoutError):
            pass  # one end has gone, or descriptors have run out: both sockets are closed, which tells the other

    async def _both_ways(self, outer: socket.socket, inner: socket.socket) -> None:
        """Ends when both directions have ended, or one has failed, or nothing came for too long."""
        async with asyncio.timeout(self.idle) as limit, asyncio.TaskGroup() as group:
            for source, target in ((outer, inner), (inner, outer)):
                group.create_task(_one_way(source, target, limit, self.idle))


def is_reserved(sock: socket.socket) -> bool:
    """Whether so many descriptors are in use that this one is not a relay's to have: the lowest free one is given."""
    try:
        import resource  # noqa: PLC0415  # Unix only
    except ImportError:
        return False
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return most != resource.RLIM_INFINITY and sock.fileno() >= most - RESERVED


async def _until_readable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    readable: asyncio.Future[None] = loop.create_future()
    loop.add_reader(sock, _settle, readable)
    try:
        await readable
    finally:
        loop.remove_reader(sock)


def _settle(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


async def _one_way(source: socket.socket, target: socket.socket, limit: asyncio.Timeout, idle: float) -> None:
    loop = asyncio.get_running_loop()
    buffer = memoryview(bytearray(CHUNK))
    while count := await loop.sock_recv_into(source, buffer):
        await loop.sock_sendall(target, buffer[:count])
        limit.reschedule(loop.time() + idle)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
