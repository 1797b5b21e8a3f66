"""Async sessions: the event loop is never blocked, and a cancellation closes what is open."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
import trio
from tests.session.async_sessions import LONG, SOON, Eventually, Play, _living, aopen, in_asyncio
from tests.stopwatch import Stopwatch

import portmap
from portmap.backends.nat import Nat
from portmap.session import aio
from portmap.session.session import Session
from portmap.testing import Quirks, Router, loopback_address

pytestmark = pytest.mark.usefixtures("no_thread_is_left")


@pytest.fixture
def slow_to_open(monkeypatch: pytest.MonkeyPatch, eventually: Eventually) -> Iterator[list[Session]]:
    """`portmap.open` takes its time, as the import of a plugin may; the sessions that it made, each with its record."""
    made: list[Session] = []

    def opening(*args: Any, **options: Any) -> Session:
        time.sleep(0.2)
        made.append(portmap.open(*args, **options))
        eventually(lambda: made[-1].record.tcp)
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
