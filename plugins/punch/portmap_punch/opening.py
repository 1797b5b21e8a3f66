"""Opening: one port of an application, opened through the NATs: a hole, its keep-alive, and the way to the application.

Engine thread only. `ask()` gives the endpoint that peers use; when it changes, `changed` is called.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeAlias

from portmap.errors import NATError
from portmap.model import Protocol
from portmap.wire.exchange import Peer
from portmap.wire.stun.message import Endpoint
from portmap_punch.endpoint import agreed_endpoint
from portmap_punch.tcp_hole import TcpHole
from portmap_punch.tcp_relay import TcpRelay
from portmap_punch.udp_hole import UdpHole
from portmap_punch.udp_relay import UdpRelay

# Seconds between two keep-alives: RFC 8445 §11 has 15 at least; NATs forget UDP after 30 s and more (RFC 4787 §4.3).
KEEP_ALIVE = (15.0, 25.0)
RETRY = 2.0  # seconds after one that failed; the least between two, as a server may end each connection that it answers


@dataclass(slots=True)
class UdpOpening:
    """A UDP port: datagrams are relayed to the application. `servers`: those that were asked last."""

    hole: UdpHole
    relay: UdpRelay | None
    changed: Callable[[str], None]
    servers: Sequence[Peer] = ()
    endpoint: Endpoint | None = None
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _closed: bool = False

    @classmethod
    def start(
        cls, application: Peer | None, changed: Callable[[str], None], port: int = 0, interface: str | None = None
    ) -> "UdpOpening":
        """Bind and keep alive. `application` None: it listens at the hole's port by itself. Raises NoGateway."""
        loop = asyncio.get_running_loop()
        hole = UdpHole.bind(_drop, port, interface)
        relay = UdpRelay(loop, application, hole.sock.sendto) if application is not None else None
        if relay is not None:
            hole.deliver = relay.deliver
        opening = cls(hole, relay, changed)
        hole.start(loop)
        return opening

    @property
    def local_port(self) -> int:
        """The hole's local port."""
        return self.hole.local_port

    async def ask(self, servers: Sequence[Peer]) -> Endpoint:
        """The endpoint, asked of these servers now, and of the same again and again. Raises NATError."""
        self.servers = servers
        endpoint = agreed_endpoint(Protocol.UDP, await self.hole.ask(servers), self.endpoint)
        if self.relay is not None:
            self.relay.forget_idle()
        if self.endpoint is None and not self._closed:
            self._tasks.append(asyncio.create_task(_keep_alive(self, self.changed)))
        self.endpoint = endpoint
        return endpoint

    async def close(self) -> None:
        """Shut it."""
        self._closed = True
        await _end(self._tasks)
        if self.relay is not None:
            self.relay.close()
        self.hole.close(asyncio.get_running_loop())


@dataclass(slots=True)
class TcpOpening:
    """A TCP port: connections are relayed to the application. `servers`: those that were asked last."""

    hole: TcpHole
    changed: Callable[[str], None]
    servers: Sequence[Peer] = ()
    endpoint: Endpoint | None = None
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _closed: bool = False

    @classmethod
    def start(
        cls, application: Peer | None, changed: Callable[[str], None], port: int = 0, interface: str | None = None
    ) -> "TcpOpening":
        """Listen and keep alive. `application` None: the kernel redirects. Raises NoGateway."""
        hole = TcpHole.bind(port, interface)
        opening = cls(hole, changed)
        if application is not None:
            opening._tasks.append(asyncio.create_task(TcpRelay(hole.listener, application).serve()))
        return opening

    @property
    def local_port(self) -> int:
        """The hole's local port."""
        return self.hole.local_port

    async def ask(self, servers: Sequence[Peer]) -> Endpoint:
        """The endpoint, asked of these servers now, and of the same again and again. Raises NATError."""
        self.servers = servers
        endpoint = agreed_endpoint(Protocol.TCP, await self.hole.ask(servers), self.endpoint)
        if self.endpoint is None and not self._closed:
            self._tasks.append(asyncio.create_task(_keep_alive(self, self.changed, self.hole.broken)))
        self.endpoint = endpoint
        return endpoint

    async def close(self) -> None:
        """Shut it, connections under way included."""
        self._closed = True
        await _end(self._tasks)
        await self.hole.close()


Opening: TypeAlias = UdpOpening | TcpOpening


def _drop(datagram: bytes, peer: Peer) -> None:
    """The application hears it by itself."""


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _keep_alive(
    opening: Opening,
    changed: Callable[[str], None],
    broken: Callable[[], Coroutine[object, object, None]] | None = None,
) -> None:
    """Ask again and again; tell when the endpoint is another, or is gone."""
    failed, loop = False, asyncio.get_running_loop()
    while True:
        next_at = loop.time() + RETRY
        await _pause(RETRY if failed else random.uniform(*KEEP_ALIVE), None if failed else broken)  # noqa: S311
        if broken is not None:
            await asyncio.sleep(max(0.0, next_at - loop.time()))
        before = opening.endpoint
        try:
            endpoint = await opening.ask(opening.servers)
        except NATError as error:
            if not failed:
                changed(f"the way through the NAT is not confirmed: {error}")
            failed = True
            continue
        if failed or endpoint != before:
            changed(f"the NAT maps to {endpoint[0]}:{endpoint[1]} now")
        failed = False


async def _pause(seconds: float, broken: Callable[[], Coroutine[object, object, None]] | None) -> None:
    """Sleep, or less where the connection that keeps the port ends before."""
    if broken is None:
        await asyncio.sleep(seconds)
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await broken()
