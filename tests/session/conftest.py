"""Sessions that are closed when a test ends, in both asyncio and trio."""

import threading
from collections.abc import Callable, Iterator

import pytest
import trio
from tests.session.async_sessions import Eventually, Hung, Play, _living, in_asyncio
from tests.session.sessions import Open

from portmap.backends.nat import Nat
from portmap.testing import Router, loopback_address


@pytest.fixture
def start() -> Iterator[Open]:
    opened = Open()
    yield opened
    for session in opened.sessions:
        session.close()


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """What hung plugins wait for."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture(params=[in_asyncio, trio.run], ids=["asyncio", "trio"])
def play(request: pytest.FixtureRequest) -> Play:
    """Runs a coroutine function to its end, in either world."""
    chosen: Play = request.param
    return chosen


@pytest.fixture
def no_thread_is_left(eventually: Eventually) -> Iterator[None]:
    before = _living()
    yield
    try:
        eventually(lambda: _living() <= before)
    except AssertionError:
        pytest.fail(f"threads are left: {sorted(thread.name for thread in _living() - before)}")


@pytest.fixture
def router() -> Iterator[Router]:
    with Router(loopback_address(), upnp=False) as router:
        yield router


@pytest.fixture
def hung() -> Iterator[Callable[[], Nat]]:
    release = threading.Event()
    yield lambda: Nat(Hung(release), "hung")
    release.set()
