"""Backends and publishers with one fault each, and a sound one: what `test_the_suite_itself.py` runs the suite on.

Not collected by itself: its contracts are there to fail.
"""

# ruff: noqa: N801  # the contract calls it `plugin`, here as everywhere
# mypy: disable-error-code="override"
# Hooks take only the arguments that they need, as plugins' hooks may.

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any, ClassVar

import pytest

from portmap.endpoints import Endpoints
from portmap.errors import Conflict, GatewayTimeout, PortmapError, SpecError
from portmap.events import Event, PortLost, RecordChanged
from portmap.hookspecs import hookimpl
from portmap.model import Grant, Kind, Protocol
from portmap.node.record import Record
from portmap.testing import BackendContract, Entry, Gateway, PublisherContract, Target

US, OTHER_HOST = "192.0.2.1", "192.0.2.2"
Alert = Callable[[str], None]


class InMemory(Gateway):
    def __init__(self) -> None:
        self.table: dict[tuple[Protocol, int], Entry] = {}
        self.alive = True

    def entries(self) -> tuple[Entry, ...]:
        return tuple(self.table.values())

    def plant(self, protocol: Protocol, external_port: int) -> None:
        self.table[protocol, external_port] = Entry(protocol, external_port, OTHER_HOST, 9, 60)

    def kill(self) -> None:
        self.alive = False

    def revive(self) -> None:
        self.alive = True


class Sound:
    kind: ClassVar[Any] = Kind.LOOP

    def __init__(self, gateway: InMemory) -> None:
        self.gateway = gateway

    @classmethod
    def from_argument(cls, argument: str | None) -> "Sound":
        if argument is not None:
            raise SpecError(f"no argument makes sense here, but {argument!r} was given")
        return cls(InMemory())

    def __str__(self) -> str:
        return "a gateway in memory"

    @hookimpl
    def external_ip(self) -> Any:
        self.reach()
        return IPv4Address("198.51.100.1")

    @hookimpl
    def add_mapping(self, protocol: Protocol, external_port: int, internal_port: int, name: str, lifetime: int) -> Any:
        self.reach()
        held = (
            entry.external_port
            for entry in self.mine()
            if entry.protocol == protocol and entry.internal_port == internal_port
        )
        port = next(held, external_port or internal_port)
        if self.gateway.table.get((protocol, port), Entry(protocol, port, US, 0, 0)).internal_client != US:
            raise Conflict(f"port {port} is another host's")
        return self.enter(Entry(protocol, port, US, internal_port, lifetime, name))

    @hookimpl
    def delete_mapping(self, protocol: Protocol, external_port: int, internal_port: int) -> None:
        self.reach()
        for entry in self.mine():
            if (entry.protocol, entry.internal_port) == (protocol, internal_port):
                del self.gateway.table[protocol, entry.external_port]

    @hookimpl
    def watch(self, alert: Alert) -> Callable[[], None]:
        return lambda: None

    def reach(self) -> None:
        if not self.gateway.alive:
            raise GatewayTimeout("the gateway in memory does not answer: revive it")

    def mine(self) -> list[Entry]:
        return [entry for entry in self.gateway.entries() if entry.internal_client == US]

    def enter(self, entry: Entry) -> Any:
        self.gateway.table[entry.protocol, entry.external_port] = entry
        return Grant(entry.external_port, entry.lifetime)


class ParsingContract(BackendContract):
    deadline: ClassVar[float] = 0.2

    @pytest.fixture
    def gateway(self) -> InMemory:
        return InMemory()

    def make(self, gateway: InMemory) -> Any:
        return self.plugin(gateway)


class Unasked:
    """Without the many strange arguments: those interest only who parses."""

    test_a_strange_argument_is_a_spec_error_or_accepted_and_nothing_is_sent: Any = None


class InMemoryContract(Unasked, ParsingContract):
    """For the faults of hooks."""


class TestSound(ParsingContract):
    plugin = Sound


class TestKindless(InMemoryContract):
    class plugin(Sound):
        kind = "loop"


class TestHookless(InMemoryContract):
    class plugin(Sound):
        delete_mapping = None  # type: ignore[assignment]


class TestMisnamedArgument(InMemoryContract):
    class plugin(Sound):
        @hookimpl
        def external_ip(self, gateway: str) -> Any:
            return None


class TestDefaultValue(InMemoryContract):
    class plugin(Sound):
        @hookimpl
        def delete_mapping(self, protocol: Protocol = Protocol.TCP, internal_port: int = 0) -> None:
            Sound.delete_mapping(self, protocol, 0, internal_port)


class TestCarelessParser(ParsingContract):
    class plugin(Sound):
        @classmethod
        def from_argument(cls, argument: str | None) -> Sound:
            IPv4Address(argument or "192.0.2.1")
            return cls(InMemory())


class TestParserThatLooksUp(ParsingContract):
    class plugin(Sound):
        @classmethod
        def from_argument(cls, argument: str | None) -> Sound:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.connect(("127.0.0.1", 9))
            return cls(InMemory())


class TestNoAddress(InMemoryContract):
    class plugin(Sound):
        @hookimpl
        def external_ip(self) -> Any:
            self.reach()
            return "198.51.100.1"


class TestOtherPort(InMemoryContract):
    class plugin(Sound):
        def enter(self, entry: Entry) -> Any:
            super().enter(entry)
            return Grant(entry.external_port + 1, entry.lifetime)


class TestMadeUpLifetime(InMemoryContract):
    class plugin(Sound):
        def enter(self, entry: Entry) -> Any:
            super().enter(replace(entry, lifetime=60))
            return Grant(entry.external_port, entry.lifetime)


class TestPortNought(InMemoryContract):
    class plugin(Sound):
        @hookimpl
        def add_mapping(self, protocol: Protocol, external_port: int, internal_port: int, lifetime: int) -> Any:
            self.reach()
            return self.enter(Entry(protocol, external_port, US, internal_port, lifetime))


class TestMovingRenewal(InMemoryContract):
    class plugin(Sound):
        @hookimpl
        def add_mapping(self, protocol: Protocol, external_port: int, internal_port: int, lifetime: int) -> Any:
            self.reach()
            port = external_port or internal_port
            while (protocol, port) in self.gateway.table:
                port += 1
            return self.enter(Entry(protocol, port, US, internal_port, lifetime))


class TestSecondMapping(InMemoryContract):
    class plugin(Sound):
        def enter(self, entry: Entry) -> Any:
            while (entry.protocol, entry.external_port) in self.gateway.table:
                entry = replace(entry, external_port=entry.external_port + 1)
            super().enter(entry)
            first = min(held.external_port for held in self.mine() if held.internal_port == entry.internal_port)
            return Grant(first, entry.lifetime)


class TestOneProtocol(InMemoryContract):
    class plugin(Sound):
        def enter(self, entry: Entry) -> Any:
            return super().enter(replace(entry, protocol=Protocol.TCP))


class TestNoDeletion(InMemoryContract):
    class plugin(Sound):
        @hookimpl
        def delete_mapping(self) -> None:
            self.reach()


class TestDeletionOfBoth(InMemoryContract):
    class plugin(Sound):
        @hookimpl
        def delete_mapping(self, external_port: int, internal_port: int) -> None:
            for protocol in Protocol:
                Sound.delete_mapping(self, protocol, external_port, internal_port)


class TestDeletionOfNothing(InMemoryContract):
    class plugin(Sound):
        @hookimpl
        def delete_mapping(self, protocol: Protocol, external_port: int) -> None:
            self.reach()
            del self.gateway.table[protocol, external_port]


class TestRobber(InMemoryContract):
    class plugin(Sound):
        @hookimpl
        def add_mapping(self, protocol: Protocol, external_port: int, internal_port: int, lifetime: int) -> Any:
            self.reach()
            return self.enter(Entry(protocol, external_port or internal_port, US, internal_port, lifetime))


class TestVandal(InMemoryContract):
    class plugin(Sound):
        @hookimpl
        def delete_mapping(self, protocol: Protocol, external_port: int) -> None:
            self.reach()
            self.gateway.table.pop((protocol, external_port), None)


class TestNeighbourly(InMemoryContract):
    class plugin(Sound):
        @hookimpl
        def add_mapping(
            self, protocol: Protocol, external_port: int, internal_port: int, lifetime: int, client: IPv4Address | None
        ) -> Any:
            if client is None:
                return Sound.add_mapping(self, protocol, external_port, internal_port, "", lifetime)
            return self.enter(Entry(protocol, external_port, str(client), internal_port, lifetime))

        @hookimpl
        def delete_mapping(
            self, protocol: Protocol, external_port: int, internal_port: int, client: IPv4Address | None
        ) -> None:
            Sound.delete_mapping(self, protocol, external_port, internal_port)


class TestBareOSError(InMemoryContract):
    class plugin(Sound):
        def reach(self) -> None:
            if not self.gateway.alive:
                raise ConnectionRefusedError(111, "Connection refused")


class TestNeverReturns(InMemoryContract):
    class plugin(Sound):
        def reach(self) -> None:
            while not self.gateway.alive:
                time.sleep(0.05)


class TestHappyEver(InMemoryContract):
    class plugin(Sound):
        def reach(self) -> None:
            """A dead gateway is no trouble at all."""


class TestGrudge(InMemoryContract):
    class plugin(Sound):
        failed = False

        def reach(self) -> None:
            self.failed = self.failed or not self.gateway.alive
            if self.failed:
                raise GatewayTimeout("it failed once, and I do not forget")


class TestAsciiOnly(InMemoryContract):
    class plugin(Sound):
        def enter(self, entry: Entry) -> Any:
            entry.description.encode("ascii")
            return super().enter(entry)


class TestOneThreadOnly(InMemoryContract):
    class plugin(Sound):
        def __init__(self, gateway: InMemory) -> None:
            super().__init__(gateway)
            self.home = threading.get_ident()

        def reach(self) -> None:
            super().reach()
            if threading.get_ident() != self.home:
                raise RuntimeError("created in another thread")


class TestNameless(InMemoryContract):
    class plugin(Sound):
        __str__ = object.__str__


class TestBusyWatch(InMemoryContract):
    class plugin(Sound):
        @hookimpl
        def watch(self, alert: Alert) -> Callable[[], None]:
            time.sleep(5)
            return lambda: None


class TestWatchEndedOnce(InMemoryContract):
    class plugin(Sound):
        @hookimpl
        def watch(self, alert: Alert) -> Callable[[], None]:
            return iter([None]).__next__


class TestTalkativeStatic(Unasked, BackendContract):
    class plugin(Sound):
        kind = Kind.STATIC

        def reach(self) -> None:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.connect(("127.0.0.1", 9))


class TestStaticWithoutASense(Unasked, BackendContract):
    class plugin(Sound):
        kind = Kind.STATIC

        @hookimpl
        def external_ip(self) -> Any:
            return IPv4Address("0.0.0.0")  # noqa: S104  # not bound to

        def enter(self, entry: Entry) -> Any:
            return Grant(entry.external_port + 1, 0)

        @hookimpl
        def delete_mapping(self) -> None:
            raise KeyError("nothing there")


class TestWithoutAGateway(Unasked, BackendContract):
    plugin = Sound


class Board(Target):
    def __init__(self) -> None:
        self.shown: list[int] = []
        self.alive = True

    def ports(self) -> list[int]:
        return self.shown

    def kill(self) -> None:
        self.alive = False

    def revive(self) -> None:
        self.alive = True


class Publisher:
    def __init__(self, board: Board) -> None:
        self.board = board

    def __str__(self) -> str:
        return "the board"

    @classmethod
    def from_argument(cls, argument: str | None) -> "Publisher":
        if argument:
            raise SpecError("no argument makes sense here")
        return cls(Board())

    @hookimpl
    def converge(self, state: Endpoints) -> None:
        self.reach()
        self.show([port.external_port for port in state.ports])

    def reach(self) -> None:
        if not self.board.alive:
            raise PortmapError("the board is gone: put it back")

    def show(self, ports: list[int]) -> None:
        self.board.shown = ports

    @hookimpl
    def on_event(self, event: Event) -> None:
        """Sound: every event is welcome."""

    @hookimpl
    def sign_record(self, record: Record) -> Any:
        return f"signed:{record.seq}"


class BoardContract(PublisherContract):
    @pytest.fixture
    def target(self) -> Board:
        return Board()

    def make(self, target: Board) -> Any:
        return self.plugin(target)


class TestSoundPublisher(BoardContract):
    plugin = Publisher


class OnBoardContract(Unasked, BoardContract):
    """For the faults of `converge`."""


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
