"""What the tests of async sessions share."""

import asyncio
import gc
import threading
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar

import portmap
from portmap.errors import NoGateway
from portmap.hookspecs import hookimpl
from portmap.model import Address, Grant, Kind
from portmap.session.aio import AsyncSession
from portmap.testing import Router

LONG = 10.0  # seconds, that no test here waits out
SOON = 0.05
Eventually = Callable[[Callable[[], object]], None]
Story = Callable[[], Coroutine[Any, Any, Any]]
Play = Callable[[Story], Any]


def in_asyncio(story: Story) -> Any:
    return asyncio.run(story(), debug=True)


def _living() -> set[threading.Thread]:
    gc.collect()  # a backend's thread ends with its backend
    return set(threading.enumerate())


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
