"""Publishers with one fault each.

Not collected by itself: its contracts are there to fail.
"""

# ruff: noqa: N801  # the contract calls it `plugin`, here as everywhere

import time
from typing import Any, ClassVar

from tests.contract.sound import BoardContract, OnBoardContract, Publisher, Unasked

from portmap.endpoints import Endpoints
from portmap.errors import PortmapError
from portmap.events import Event, PortLost, RecordChanged
from portmap.hookspecs import hookimpl
from portmap.node.record import Record


class TestPicky(OnBoardContract):
    class plugin(Publisher):
        def show(self, ports: list[int]) -> None:
            if not ports:
                raise IndexError(ports)
            super().show(ports)


class TestConservative(OnBoardContract):
    class plugin(Publisher):
        def show(self, ports: list[int]) -> None:
            if not self.board.shown or not ports:
                super().show(ports)


class TestRepetitive(OnBoardContract):
    class plugin(Publisher):
        def show(self, ports: list[int]) -> None:
            super().show([*(port for port in self.board.shown if port in ports), *ports])


class TestOptimist(OnBoardContract):
    class plugin(Publisher):
        def show(self, ports: list[int]) -> None:
            super().show(ports or self.board.shown)


class TestCarefree(OnBoardContract):
    class plugin(Publisher):
        def reach(self) -> None:
            """A board that is gone is no trouble at all."""


class TestResentful(OnBoardContract):
    class plugin(Publisher):
        failed = False

        def reach(self) -> None:
            self.failed = self.failed or not self.board.alive
            if self.failed:
                raise PortmapError("it failed once, and I do not forget")


class TestWordy(OnBoardContract):
    class plugin(Publisher):
        @hookimpl
        def converge(self, state: Endpoints) -> Any:
            super().converge(state)
            return "two\nlines"


class TestAnonymous(OnBoardContract):
    class plugin(Publisher):
        __str__ = object.__str__


class TestImpatient(Unasked, BoardContract):
    class plugin(Publisher):
        @hookimpl
        def on_event(self, event: Event) -> None:
            if isinstance(event, PortLost):
                raise KeyError(event)


class TestIncurious(Unasked, BoardContract):
    class plugin(Publisher):
        @hookimpl
        def on_event(self, event: Event) -> None:
            if not type(event).__module__.startswith("portmap.events"):
                raise TypeError(event)


class TestOrderly(Unasked, BoardContract):
    class plugin(Publisher):
        seq = -1

        @hookimpl
        def on_event(self, event: Event) -> None:
            if isinstance(event, RecordChanged):
                if event.seq <= self.seq:
                    raise ValueError("not in this order")
                self.seq = event.seq


class TestSleeper(Unasked, BoardContract):
    deadline: ClassVar[float] = 0.2

    class plugin(Publisher):
        @hookimpl
        def on_event(self, event: Event) -> None:
            if isinstance(event, PortLost):
                time.sleep(3)


class TestScribbler(Unasked, BoardContract):
    class plugin(Publisher):
        @hookimpl
        def sign_record(self, record: Record) -> Any:
            return b"signed\n"
