"""Wakeup: a thread wakes waiting tasks, under asyncio or trio.

`wake` never blocks or raises, and may be called from any thread; calls before the event loop runs are coalesced. A
task waits for a condition, and checks it again at each wake; so change the condition first, then call `wake`.
Trio is not imported here: a program that runs it has done so.
"""

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeAlias
from typing import Protocol as Interface

Holds: TypeAlias = Callable[[], bool]


class Wakeup(Interface):
    """Wakes the tasks of the event loop that it was made in."""

    def wake(self) -> None:
        """Let every waiting task check again. From any thread; without effect after the loop's end."""

    async def wait(self, holds: Holds, seconds: float | None = None) -> None:
        """Until it holds, or for so many seconds."""

    async def wait_shielded(self, holds: Holds, seconds: float) -> None:
        """As `wait`, but a cancellation takes effect only afterwards."""


def current_wakeup() -> Wakeup:
    """A Wakeup for the event loop that the caller runs in. Raises RuntimeError outside of one."""
    trio: Any = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_task():
        return _TrioWakeup(trio)
    return _AsyncioWakeup()


class _AsyncioWakeup:
    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._heard = asyncio.Event()
        self._pending = False

    def wake(self) -> None:
        if not self._pending:
            self._pending = True
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._be_heard)

    async def wait(self, holds: Holds, seconds: float | None = None) -> None:
        late = False

        def give_up() -> None:
            nonlocal late
            late = True
            self._be_heard()

        timer = self._loop.call_later(seconds, give_up) if seconds is not None else None
        try:
            while not (holds() or late):
                await self._heard.wait()
        finally:
            if timer is not None:
                timer.cancel()

    async def wait_shielded(self, holds: Holds, seconds: float) -> None:
        deadline = self._loop.time() + seconds
        cancelled: asyncio.CancelledError | None = None
        while not holds() and (left := deadline - self._loop.time()) > 0:
            try:
                await self.wait(holds, left)
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled

    def _be_heard(self) -> None:
        """In the loop: waiting tasks check again. A wake from now on is a new one."""
        self._pending = False
        heard, self._heard = self._heard, asyncio.Event()
        heard.set()


class _TrioWakeup:
    def __init__(self, trio: Any) -> None:
        self._trio = trio
        self._token = trio.lowlevel.current_trio_token()
        self._heard = trio.Event()

    def wake(self) -> None:
        with suppress(self._trio.RunFinishedError):
            self._token.run_sync_soon(self._be_heard, idempotent=True)

    async def wait(self, holds: Holds, seconds: float | None = None) -> None:
        with self._trio.move_on_after(float("inf") if seconds is None else seconds):
            while not holds():
                await self._heard.wait()

    async def wait_shielded(self, holds: Holds, seconds: float) -> None:
        with self._trio.CancelScope(shield=True):
            await self.wait(holds, seconds)

    def _be_heard(self) -> None:
        heard, self._heard = self._heard, self._trio.Event()
        heard.set()
