"""Async sessions: what holds, and their events."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import pytest
from tests.session.async_sessions import LONG, SOON, Play, aopen, in_asyncio

import portmap
from portmap.backends.nat import Nat
from portmap.errors import GatewayTimeout, SpecError
from portmap.events import Event, PortAdded, PortRemoved
from portmap.model import Kind, Protocol
from portmap.session import aio
from portmap.session.event_stream import BACKLOG
from portmap.testing import Router

pytestmark = pytest.mark.usefixtures("no_thread_is_left")

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
