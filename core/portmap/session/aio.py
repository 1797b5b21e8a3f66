"""Sessions for asyncio and trio: `async with portmap.aopen("any", ["30303/both"]) as session`.

The event loop is never blocked, and nothing here outlives the `async with`: leaving it, also by a cancellation,
waits until what is held was deleted, 3 seconds at the most. All threads are daemons, so none delays the process's end.
A session's events go from its threads to a bounded queue of each reader; a slow reader delays only itself.
"""

import logging
import threading
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial, wraps
from typing import Generic, ParamSpec, Self, TypeVar

from portmap.errors import PortmapError
from portmap.events import Event
from portmap.loading.time_limit import complete
from portmap.model import Address, Key, Kind, Mapping, PortRequest, Protocol
from portmap.node.local_node import Record
from portmap.publishers.health import PublisherHealth
from portmap.reachability.verdict import Reachability
from portmap.session.event_stream import BACKLOG, Subscriber
from portmap.session.open import open as open_session
from portmap.session.session import Session
from portmap.session.wakeup import Wakeup, current_wakeup
from portmap.syntax.mappings import MappingLike

P = ParamSpec("P")
T = TypeVar("T")

CLOSING = 3.0  # seconds; what Session.close takes at the most

_log = logging.getLogger("portmap.aio")


class AsyncSession:
    """Ports kept open. Made by `portmap.aopen`; to be used in the event loop that it was made in."""

    def __init__(self, session: Session, wakeup: Wakeup) -> None:
        self._session = session
        self._wakeup = wakeup
        self._lock = threading.Lock()  # held for moments only, never during I/O
        self._backlog: deque[Event] = deque(maxlen=BACKLOG)
        self._readers: weakref.WeakSet[_Subscription] = weakref.WeakSet()
        self._ended = False
        session.subscribe(self._forward)

    @property
    def kind(self) -> Kind:
        """Which path the session is on."""
        return self._session.kind

    @property
    def gateway(self) -> str:
        """How the backend names its gateway."""
        return self._session.gateway

    @property
    def lifetime(self) -> int:
        """The seconds that are asked for where a mapping names none."""
        return self._session.lifetime

    @property
    def external_ip(self) -> Address | None:
        """The external address as the gateway last stated it, of whatever scope; None before."""
        return self._session.external_ip

    @property
    def requests(self) -> tuple[PortRequest, ...]:
        """The ports that shall be open."""
        return self._session.requests

    @property
    def mappings(self) -> tuple[Mapping, ...]:
        """The ports that are open now."""
        return self._session.mappings

    @property
    def pinholes(self) -> tuple[Mapping, ...]:
        """The ports that are open now over IPv6, at our own address."""
        return self._session.pinholes

    @property
    def publishers(self) -> tuple[PublisherHealth, ...]:
        """How each publisher is doing."""
        return self._session.publishers

    @property
    def reachability(self) -> dict[Key, Reachability]:
        """The last proof from outside of each open port; empty without `prove`."""
        return self._session.reachability

    @property
    def record(self) -> Record:
        """The node's public record: an immutable snapshot."""
        return self._session.record

    def raise_fault(self) -> None:
        """Raise PortmapError if the session ended because of an internal error of ours or of a plugin."""
        self._session.raise_fault()

    def __repr__(self) -> str:
        return f"<Async{repr(self._session)[1:]}"

    def add(self, mapping: MappingLike) -> None:
        """Keep another port open; returns at once. Raises SpecError as `Session.add`."""
        self._session.add(mapping)

    def remove(self, key: Key | tuple[Protocol, int]) -> None:
        """Let one mapping, (protocol, internal port), go; returns at once. Raises SpecError if never asked for."""
        self._session.remove(key)
        self._wakeup.wake()  # what is left may be complete

    def reassert(self) -> None:
        """Have every publisher say again what holds now, as if its target had forgotten."""
        self._session.reassert()

    def is_alive(self, within: float = 30.0) -> bool:
        """Whether every path is at work; `within` seconds, above the longest call to a backend."""
        return self._session.is_alive(within)

    def stop(self) -> None:
        """Ask for the end and return at once; leaving the `async with` waits for it."""
        self._session.stop()

    async def wait(self, timeout: float | None = None) -> tuple[Mapping, ...]:  # noqa: ASYNC109  # as Session.wait
        """Wait until every requested port is open; the open ports.

        Raises what the first missing one failed with (NATError) when `timeout` seconds are over or the session ends.
        """
        await self._wakeup.wait(lambda: self._ended or self._is_complete(), timeout)
        return self._session.wait(0)

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call a function with every event, and None at the end, as `Session.subscribe`: not in the event loop."""
        return self._session.subscribe(subscriber)

    def events(self, timeout: float | None = None) -> AsyncIterator[Event]:
        """Every event from the session's start (the last thousand of them) to its end.

        With `timeout` it ends once no event came for so many seconds.

        A cancelled step loses nothing: the next one goes on there. A reader that is more than a thousand events behind
        loses the oldest, which is logged once as a warning.
        """
        reader = _Subscription(self._wakeup, lambda: self._ended, timeout)
        with self._lock:
            for event in self._backlog:
                reader.put(event)
            self._readers.add(reader)
        return reader

    def close(self) -> None:
        """Delete what is held and end; blocks, 3 seconds at the most. `aopen` calls it, in a thread."""
        self._session.close()

    def _is_complete(self) -> bool:
        try:
            self._session.wait(0)
        except PortmapError:
            return False
        return True

    def _forward(self, event: Event | None) -> None:
        """Pass an event on, or the end. In the session's threads."""
        with self._lock:
            if event is None:
                self._ended = True
            else:
                self._backlog.append(event)
                for reader in self._readers:
                    reader.put(event)
        self._wakeup.wake()


class _Subscription:
    """One reader's place in the stream of events."""

    def __init__(self, wakeup: Wakeup, ended: Callable[[], bool], timeout: float | None) -> None:
        self._timeout = timeout
        self._wakeup = wakeup
        self._ended = ended
        self._queue: deque[Event] = deque(maxlen=BACKLOG)
        self._behind = False

    def put(self, event: Event) -> None:
        """In the session's threads."""
        if len(self._queue) == BACKLOG and not self._behind:
            self._behind = True
            _log.warning("a reader is more than %d events behind: the oldest events are dropped", BACKLOG)
        self._queue.append(event)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        await self._wakeup.wait(lambda: bool(self._queue) or self._ended(), self._timeout)
        if not self._queue:
            raise StopAsyncIteration
        return self._queue.popleft()


class _BackgroundCall(Generic[T]):
    """Work that blocks, on a daemon thread of its own; the task is woken when it is done."""

    def __init__(self, work: Callable[[], T], wakeup: Wakeup) -> None:
        self._call: Future[T] = Future()
        self._thread = threading.Thread(target=self._run, args=(work, wakeup), name="portmap background", daemon=True)
        self._thread.start()

    def done(self) -> bool:
        """Whether the work is done."""
        return self._call.done()

    def result(self) -> T:
        """What the work returned or raised; waits for it."""
        result = self._call.result()
        self._thread.join()  # nothing but the ringing is left
        return result

    def _run(self, work: Callable[[], T], wakeup: Wakeup) -> None:
        complete(self._call, work)
        wakeup.wake()


async def _opened(opening: Callable[[], Session], wakeup: Wakeup) -> Session:
    """Open in a thread. Who is cancelled meanwhile waits for the closing, as at any other end."""
    background = _BackgroundCall(opening, wakeup)
    try:
        await wakeup.wait(background.done)
    except BaseException:  # a cancellation: the session is closed once it is open
        closing = _BackgroundCall(lambda: background.result().close(), wakeup)
        await wakeup.wait_shielded(closing.done, CLOSING)
        raise
    return background.result()


async def _closed(session: AsyncSession, wakeup: Wakeup) -> None:
    background = _BackgroundCall(session.close, wakeup)
    try:
        await wakeup.wait_shielded(background.done, CLOSING)
    finally:
        if background.done():
            background.result()


def _async(opening: Callable[P, Session]) -> Callable[P, AbstractAsyncContextManager[AsyncSession]]:
    @asynccontextmanager
    @wraps(opening, assigned=("__annotations__",))
    async def aopen(*args: P.args, **options: P.kwargs) -> AsyncIterator[AsyncSession]:
        """`portmap.open` for `async with`, under asyncio or trio: the same arguments, an AsyncSession.

        Leaving it deletes what is held, also when cancelled; that takes 3 seconds at the most.
        """
        wakeup = current_wakeup()
        session = AsyncSession(await _opened(partial(opening, *args, **options), wakeup), wakeup)
        try:
            yield session
        finally:
            await _closed(session, wakeup)

    return aopen


aopen = _async(open_session)
