"""A backend and a publisher without a fault, and the contracts that are tried on them and on faulty ones.

Not collected by itself: `test_the_suite_itself.py` runs it.
"""

from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Any, ClassVar

import pytest

from portmap.endpoints import Endpoints
from portmap.errors import Conflict, GatewayTimeout, PortmapError, SpecError
from portmap.events import Event
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
