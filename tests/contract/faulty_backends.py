"""Backends with one fault each in what they declare, in how they are made, or when their gateway falls silent.

Not collected by itself: its contracts are there to fail.
"""

# ruff: noqa: N801  # the contract calls it `plugin`, here as everywhere
# mypy: disable-error-code="override"
# Hooks take only the arguments that they need, as plugins' hooks may.

import socket
import threading
import time
from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Any

from tests.contract.sound import Alert, InMemory, InMemoryContract, ParsingContract, Sound, Unasked

from portmap.errors import GatewayTimeout
from portmap.hookspecs import hookimpl
from portmap.model import Grant, Kind, Protocol
from portmap.testing import BackendContract, Entry


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
