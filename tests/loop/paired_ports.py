"""Gateways and requests that the tests of equal ports share."""

from collections.abc import Callable
from itertools import chain, count

from portmap.events import PortEvent
from portmap.hookspecs import hookimpl
from portmap.loop.inbox import Message, Register
from portmap.loop.policy import Policy
from portmap.model import Grant, Key, Protocol
from portmap.syntax.mappings import parse_mappings
from portmap.testing.scripted import Recording, ScriptedBackend

TCP, UDP = Protocol.TCP, Protocol.UDP
FOREVER = 1e9
RARELY = Policy(ip_interval=5000)  # no check in between: what is seen is renewals
FRESH = 49152  # what chance 0 draws


class Town(ScriptedBackend):
    """NAT-PMP's ways: an internal port keeps its external one; where that is taken the next free one is given.

    `taken`: what neighbours hold. `drawn`: what the gateway gives instead, whatever it is asked for.
    """

    def __init__(self, *taken: Key, drawn: Callable[[Protocol, int], int] | None = None) -> None:
        super().__init__()
        self.taken = set(taken)
        self._drawn = drawn or self._next_free

    @hookimpl
    def add_mapping(self, protocol: Protocol, external_port: int, internal_port: int, lifetime: int) -> Grant:
        self._hear("add_mapping", protocol, external_port, internal_port, lifetime)
        held = self.table.get(Key(protocol, internal_port))
        port = held or self._drawn(protocol, external_port or internal_port)
        self.table[Key(protocol, internal_port)] = port
        self._suffer("the answer")
        return Grant(port, lifetime)

    def _next_free(self, protocol: Protocol, wanted: int) -> int:
        ours = {Key(own.protocol, port) for own, port in self.table.items()}
        ports = chain(range(wanted, 65536), range(1024, wanted))
        return next(port for port in ports if Key(protocol, port) not in self.taken | ours)


def never_the_same() -> Callable[[Protocol, int], int]:
    """A gateway's way to choose: every time another port."""
    ports = count(5001)
    return lambda protocol, wanted: next(ports)


def wanted(*texts: str, at: float = 0.0) -> list[tuple[float, Message]]:
    """The part of a story in which ports are asked for."""
    return [(at, Register(request)) for request in parse_mappings(texts)]


def mappings(told: Recording, *, until: float = FOREVER) -> list[str]:
    """What was told of mappings, as `added TCP 4001`."""
    events = [event for at, event in told.events if isinstance(event, PortEvent) and at < until]
    return [f"{event.event.removeprefix('mapping.')} {event.protocol} {event.external_port}" for event in events]


def reasons(told: Recording) -> list[str]:
    """Every reason that was given with a mapping."""
    return [event.reason for _, event in told.events if isinstance(event, PortEvent) and event.reason]


def calls(town: Town, hook: str) -> list[tuple[object, ...]]:
    """The arguments of a hook's calls, but for the lifetime."""
    return [call.arguments[:3] for call in town.calls if call.hook == hook]
