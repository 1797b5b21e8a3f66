"""Static backends that the tests of the paths share, and what a played static path told."""

from collections.abc import Callable, Iterable
from ipaddress import IPv4Address
from typing import ClassVar

from portmap.backends.nat import Nat
from portmap.dispatch.static_path import StaticPath
from portmap.hookspecs import hookimpl
from portmap.loop.inbox import Message, Register
from portmap.loop.policy import Policy
from portmap.model import Address, Grant, Kind, PortRequest
from portmap.node.local_node import LocalNode, Record
from portmap.testing.clock import ScriptedInbox
from portmap.testing.scripted import Recording, ScriptedBackend


class Known:
    """A static backend; `trouble` may do what it likes."""

    kind: ClassVar[Kind] = Kind.STATIC

    def __init__(self, address: str = "1.2.3.4", trouble: Callable[[], object] = lambda: None) -> None:
        self.address = IPv4Address(address)
        self.trouble = trouble

    @hookimpl
    def external_ip(self) -> Address:
        self.trouble()
        return self.address

    @hookimpl
    def add_mapping(self, external_port: int, internal_port: int) -> Grant:
        return Grant(external_port or internal_port, 0)

    @hookimpl
    def delete_mapping(self) -> None:
        pass


class Scripted(ScriptedBackend):
    """A static backend that follows a script."""

    kind: ClassVar[Kind] = Kind.STATIC


class Played(Recording):
    """What a played static path told; with the node that followed it."""

    def __init__(self, backend: Scripted) -> None:
        super().__init__(backend.inbox)
        self.node = LocalNode(clock=lambda: 0)
        self.records: list[Record] = []
        self._followed = 0

    def on_settled(self) -> None:
        record = self.node.follow([event for _, event in self.events[self._followed :]])
        self._followed = len(self.events)
        self.records += [record] if record else []

    def seconds(self, name: str) -> list[float]:
        return [at for at, _ in self.of(name)]


def play_static(
    backend: Scripted,
    *requests: PortRequest,
    end: float,
    policy: Policy = Policy(ip_interval=60),  # noqa: B008  # frozen
    later: Iterable[tuple[float, Message]] = (),
) -> Played:
    """Run the real path, with a real Nat, on scripted time."""
    inbox = backend.inbox = ScriptedInbox([*((0, Register(request)) for request in requests), *later], end=end)
    told = Played(backend)
    StaticPath(Nat(backend, "scripted"), inbox, told.node, told, policy, random=lambda: 0.0).run()
    return told
