"""Engine: one thread with an event loop for all openings; every method may be called from any thread.

The thread starts with the first opening and ends with close(), or with the process (a daemon).
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from portmap.errors import GatewayTimeout, NoGateway
from portmap.model import Protocol
from portmap.wire.exchange import Peer
from portmap.wire.stun.message import Endpoint
from portmap_punch.opening import Opening, TcpOpening, UdpOpening

T = TypeVar("T")

CALL = 12.0  # seconds for one call; the servers are asked for less
HERE = "127.0.0.1"

Key = tuple[Protocol, int]


@dataclass(slots=True)
class Engine:
    """The openings, by protocol and the application's port. `relayed`: portmap hands packets on to it.

    `interface`: the one of this host to open them at; None: the routing table decides.
    """

    servers: Callable[[], Sequence[Peer]]
    changed: Callable[[str], None]
    relayed: bool = True
    interface: str | None = None
    _openings: dict[Key, Opening] = field(default_factory=dict)
    _loop: asyncio.AbstractEventLoop | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def open(self, protocol: Protocol, internal_port: int, suggested_port: int = 0) -> tuple[Endpoint, int]:
        """Open the port, or ask again where it is open: the endpoint for peers, and the local port. Raises NATError.

        `suggested_port`: the external port to have if possible, 0: any. Many NATs keep port numbers, so it is tried as
        local port.
        """
        servers = self.servers()  # looked up on the caller's thread, which may wait
        return self._call(self._open(servers, protocol, internal_port, suggested_port))

    def local_port(self, protocol: Protocol, internal_port: int, suggested_port: int = 0) -> int:
        """The local port, open from now on; no server is asked. Raises NATError. `suggested_port`: as in `open`."""
        return self._call(self._listen(protocol, internal_port, suggested_port))

    def close_port(self, protocol: Protocol, internal_port: int) -> None:
        """Shut the port; one that is not open is shut already."""
        if self._loop is not None:
            self._call(self._shut(protocol, internal_port))

    def close(self) -> None:
        """Shut everything and end the thread."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is not None:
            asyncio.run_coroutine_threadsafe(self._shut_all(), loop).result(CALL)
            loop.call_soon_threadsafe(loop.stop)

    @property
    def any_opening(self) -> Key | None:
        """One of the openings; None where there is none."""
        return next(iter(tuple(self._openings)), None)

    @property
    def endpoint(self) -> Endpoint | None:
        """The endpoint of any opening, as the servers last saw it."""
        return next((it.endpoint for it in tuple(self._openings.values()) if it.endpoint is not None), None)

    async def _open(
        self, servers: Sequence[Peer], protocol: Protocol, internal_port: int, suggested_port: int
    ) -> tuple[Endpoint, int]:
        opening = self._opening(protocol, internal_port, suggested_port)
        try:
            return await opening.ask(servers), opening.local_port
        except BaseException:  # a cancellation, too
            if opening.endpoint is None:  # it was never open: nothing is left behind
                await self._shut(protocol, internal_port)
            raise

    async def _listen(self, protocol: Protocol, internal_port: int, suggested_port: int) -> int:
        return self._opening(protocol, internal_port, suggested_port).local_port

    def _opening(self, protocol: Protocol, internal_port: int, suggested_port: int) -> Opening:
        """The opening, which is started the first time."""
        key = protocol, internal_port
        if key not in self._openings:
            self._openings[key] = self._start(protocol, internal_port, suggested_port)
        return self._openings[key]

    def _start(self, protocol: Protocol, internal_port: int, suggested_port: int) -> Opening:
        start = UdpOpening.start if protocol is Protocol.UDP else TcpOpening.start
        application = (HERE, internal_port) if self.relayed else None
        if suggested_port not in (0, internal_port):
            with suppress(NoGateway):  # taken: then any port
                return start(application, self.changed, suggested_port, self.interface)
        return start(application, self.changed, interface=self.interface)

    async def _shut(self, protocol: Protocol, internal_port: int) -> None:
        opening = self._openings.pop((protocol, internal_port), None)
        if opening is not None:
            await opening.close()

    async def _shut_all(self) -> None:
        for key in tuple(self._openings):
            await self._shut(*key)

    def _call(self, work: Coroutine[object, object, T]) -> T:
        future = asyncio.run_coroutine_threadsafe(work, self._running())
        try:
            return future.result(CALL)
        except FutureTimeout as error:
            future.cancel()
            raise GatewayTimeout(f"the STUN servers did not answer within {CALL:g} s") from error

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=_run, args=(self._loop,), name="punch", daemon=True).start()
            return self._loop


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        loop.run_until_complete(_end_tasks())
    finally:
        loop.close()


async def _end_tasks() -> None:
    """Cancel what still runs, and let it close its sockets."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)  # transports close in the next round of the loop
