"""Sessions for asyncio and trio, against the simulated router and against backends that hang."""

import asyncio
import gc
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, ClassVar

import pytest
import trio
from tests.stopwatch import Stopwatch

import portmap
from portmap.backends.nat import Nat
from portmap.errors import GatewayTimeout, NoGateway, SpecError
from portmap.events import Event, PortAdded, PortRemoved
from portmap.hookspecs import hookimpl
from portmap.model import Address, Grant, Kind, Protocol
from portmap.session import aio
from portmap.session.aio import AsyncSession
from portmap.session.event_stream import BACKLOG
from portmap.session.session import Session
from portmap.testing import Quirks, Router, loopback_address

LONG = 10.0  # seconds, that no test here waits out
SOON = 0.05
Eventually = Callable[[Callable[[], object]], None]
Story = Callable[[], Coroutine[Any, Any, Any]]
Play = Callable[[Story], Any]


def in_asyncio(story: Story) -> Any:
    return asyncio.run(story(), debug=True)


@pytest.fixture(params=[in_asyncio, trio.run], ids=["asyncio", "trio"])
def play(request: pytest.FixtureRequest) -> Play:
    """Runs a coroutine function to its end, in either world."""
    chosen: Play = request.param
    return chosen


@pytest.fixture(autouse=True)
def no_thread_is_left(eventually: Eventually) -> Iterator[None]:
    before = _living()
    yield
    eventually(lambda: _living() <= before)


def _living() -> set[threading.Thread]:
    gc.collect()  # a backend's thread ends with its backend
    return set(threading.enumerate())


@pytest.fixture
def router() -> Iterator[Router]:
    with Router(loopback_address(), upnp=False) as router:
        yield router


def aopen(router: Router, *mappings: str) -> AbstractAsyncContextManager[AsyncSession]:
    return portmap.aopen(f"pmp:{router.address}", mappings)


class Hung:
    """A backend whose every answer waits for `release`."""

    kind: ClassVar[Kind] = Kind.LOOP

    def __init__(self, release: threading.Event) -> None:
        self._release = release

    @hookimpl
    def external_ip(self) -> Address:
        self._release.wait(LONG)
        raise NoGateway("no answer")

    @hookimpl
    def add_mapping(self) -> Grant:
        raise NoGateway("no answer")

    @hookimpl
    def delete_mapping(self) -> None:
        raise NoGateway("no answer")


@pytest.fixture
def hung() -> Iterator[Callable[[], Nat]]:
    release = threading.Event()
    yield lambda: Nat(Hung(release), "hung")
    release.set()


# what holds


def test_ports_are_open_inside_and_deleted_afterwards(play: Play, router: Router) -> None:
    async def story() -> tuple[int, ...]:
        async with aopen(router, "8080") as session:
            await session.wait(LONG)
            return tuple(entry.external_port for entry in router.entries)

    assert (play(story), router.entries) == ((8080,), ())


def test_wait_returns_the_open_ports_and_the_session_knows_what_holds(play: Play, router: Router) -> None:
    async def story() -> None:
        async with aopen(router, "8080") as session:
            mappings = await session.wait(LONG)
            assert mappings == session.mappings
            assert (str(session.external_ip), session.kind) == ("1.2.3.4", Kind.LOOP)
            assert router.address in session.gateway
            assert session.pinholes == ()
            session.raise_fault()

    play(story)


def test_wait_raises_what_is_missing_when_the_time_is_up(play: Play, hung: Callable[[], Nat]) -> None:
    async def story() -> None:
        async with portmap.aopen(hung(), ["8080"]) as session:
            with pytest.raises(GatewayTimeout, match="has not mapped TCP 8080"):
                await session.wait(SOON)

    play(story)


def test_ports_are_added_and_removed_while_it_runs(play: Play, router: Router) -> None:
    async def story() -> None:
        async with aopen(router, "8080") as session:
            session.add("9090/udp")
            assert len(await session.wait(LONG)) == 2
            session.remove((Protocol.TCP, 8080))
            async for event in session.events():
                if isinstance(event, PortRemoved):
                    break
            assert [mapping.internal_port for mapping in session.mappings] == [9090]

    play(story)


def test_removing_what_is_missing_ends_the_wait(play: Play, hung: Callable[[], Nat]) -> None:
    async def story() -> None:
        async with portmap.aopen(hung(), ["8080"]) as session:
            session.remove((Protocol.TCP, 8080))
            assert await session.wait(LONG) == ()

    play(story)


def test_the_record_follows(play: Play, router: Router) -> None:
    async def story() -> int | None:
        async with aopen(router, "8080") as session:
            async for event in session.events():
                if event.event == "record.changed":
                    break
            return session.record.tcp

    assert play(story) == 8080


def test_nonsense_is_raised_before_anything_is_sent(play: Play, router: Router) -> None:
    async def story() -> None:
        async with aopen(router, "http"):
            pytest.fail("it opened")

    with pytest.raises(SpecError):
        play(story)
    assert not router.heard.map


# events


def test_events_are_told_from_the_start_to_the_end(play: Play, router: Router) -> None:
    async def story() -> list[str]:
        async with aopen(router, "8080") as session:
            events = session.events()
            await session.wait(LONG)
        return [event.event async for event in events]

    told = play(story)
    assert (told[0], told[2], told[-2]) == ("gateway.found", "mapping.added", "mapping.removed")


def test_a_late_reader_gets_the_same_events(play: Play, router: Router) -> None:
    async def story() -> tuple[list[Event], list[Event]]:
        async with aopen(router, "8080") as session:
            early = session.events()
            await session.wait(LONG)
        return [event async for event in early], [event async for event in session.events()]

    early, late = play(story)
    assert early == late


def test_a_cancelled_step_loses_no_event(router: Router) -> None:
    async def story() -> list[str]:
        async with aopen(router, "8080") as session:
            await session.wait(LONG)
            events = session.events()
            before = await _all_there_is(events)
            session.add("9090")
            return [*before, (await anext(events)).event]

    told = in_asyncio(story)
    assert (told[0], told[-1]) == ("gateway.found", "mapping.added")


async def _all_there_is(events: AsyncIterator[Event]) -> list[str]:
    """What was told until nothing came for a while; the last step is cancelled."""
    heard = []
    with suppress(TimeoutError):
        while True:
            heard.append((await asyncio.wait_for(anext(events), 0.3)).event)
    return heard


def test_a_slow_reader_loses_the_oldest_and_is_told_so(caplog: pytest.LogCaptureFixture) -> None:
    reader = aio._Subscription(_Deaf(), lambda: True, None)
    event = PortAdded(protocol=Protocol.TCP, internal_port=1)
    for port in range(BACKLOG + 5):
        reader.put(PortAdded(protocol=Protocol.TCP, internal_port=port))

    async def story() -> list[Event]:
        return [event async for event in reader]

    told = asyncio.run(story())
    assert (len(told), told[0] == event) == (BACKLOG, False)
    assert len(caplog.records) == 1


class _Deaf:
    def wake(self) -> None: ...

    async def wait(self, holds: Callable[[], bool], seconds: float | None = None) -> None: ...

    async def wait_shielded(self, holds: Callable[[], bool], seconds: float) -> None: ...


# the event loop, and cancellation


@pytest.fixture
def slow_to_open(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Session]]:
    """`portmap.open` takes its time, as the import of a plugin may; the sessions that it made."""
    made: list[Session] = []

    def opening(*args: Any, **options: Any) -> Session:
        time.sleep(0.2)
        made.append(portmap.open(*args, **options))
        return made[-1]

    monkeypatch.setattr(aio, "aopen", aio._async(opening))
    yield made
    made.clear()


async def open_slowly() -> None:
    async with aio.aopen("none", ["8080"]):
        pass


@pytest.mark.usefixtures("slow_to_open")
def test_opening_does_not_block_the_event_loop() -> None:
    async def story() -> int:
        opening = asyncio.create_task(open_slowly())
        beats = 0
        while not opening.done():
            await asyncio.sleep(0.01)
            beats += 1
        await opening
        return beats

    assert in_asyncio(story) >= 5


def in_time_under_asyncio() -> None:
    with suppress(TimeoutError):
        in_asyncio(lambda: asyncio.wait_for(open_slowly(), SOON))


def in_time_under_trio() -> None:
    async def story() -> None:
        with trio.move_on_after(SOON):
            await open_slowly()

    trio.run(story)


@pytest.mark.parametrize("cancelled", [in_time_under_asyncio, in_time_under_trio])
def test_what_a_cancelled_opening_opened_is_closed(slow_to_open: list[Session], cancelled: Callable[[], None]) -> None:
    cancelled()
    (session,) = slow_to_open
    assert [event.event for event in session.events()] == ["record.changed"]  # it has ended


@pytest.mark.usefixtures("slow_to_open")
def test_a_cancelled_opening_is_a_cancellation() -> None:
    with pytest.raises(TimeoutError):
        in_asyncio(lambda: asyncio.wait_for(open_slowly(), SOON))


@pytest.mark.parametrize("waits_for", ["events", "something else"])
def test_a_cancelled_task_deletes_what_it_holds(router: Router, waits_for: str) -> None:
    async def hold(mapped: asyncio.Event) -> None:
        async with aopen(router, "8080") as session:
            await session.wait(LONG)
            mapped.set()
            if waits_for != "events":
                await asyncio.Event().wait()
            async for _ in session.events():
                pass

    async def story() -> None:
        mapped = asyncio.Event()
        task = asyncio.create_task(hold(mapped))
        await mapped.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    in_asyncio(story)
    assert router.entries == ()


def test_the_closing_cannot_be_cancelled() -> None:
    async def hold(inside: asyncio.Event, router: Router) -> None:
        async with aopen(router, "8080") as session:
            await session.wait(LONG)
            inside.set()

    async def story(router: Router) -> None:
        inside = asyncio.Event()
        task = asyncio.create_task(hold(inside, router))
        await inside.wait()
        await asyncio.sleep(0.01)  # the closing is under way
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with Router(loopback_address(), upnp=False, quirks=Quirks(slow=0.2)) as router:
        in_asyncio(lambda: story(router))
        assert router.entries == ()


def test_a_trio_cancellation_deletes_what_is_held(router: Router) -> None:
    async def story() -> None:
        with trio.CancelScope() as scope:
            async with aopen(router, "8080") as session:
                await session.wait(LONG)
                scope.cancel()
                async for _ in session.events():
                    pass

    trio.run(story)
    assert router.entries == ()


def test_a_hung_backend_holds_up_the_end_for_three_seconds_at_the_most(play: Play, hung: Callable[[], Nat]) -> None:
    async def story() -> None:
        async with portmap.aopen(hung(), ["8080"]):
            pass

    with Stopwatch() as watch:
        play(story)
    assert watch.seconds < 3


def test_every_thread_is_a_daemon_so_that_none_delays_the_exit(play: Play, router: Router) -> None:
    before = _living()

    async def story() -> list[str]:
        async with aopen(router, "8080") as session:
            await session.wait(LONG)
            return [thread.name for thread in _living() - before if not thread.daemon]

    assert play(story) == []


def test_an_abandoned_wait_leaves_the_session_as_it_was(hung: Callable[[], Nat]) -> None:
    async def story() -> None:
        async with portmap.aopen(hung(), ["8080"]) as session:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(session.wait(), SOON)
            assert session.mappings == ()

    in_asyncio(story)


def test_outside_of_an_event_loop_it_says_so() -> None:
    coroutine = portmap.aopen("none").__aenter__()
    with pytest.raises(RuntimeError, match="no running event loop"):
        coroutine.send(None)
