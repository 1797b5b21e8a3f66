"""What the tests of the loop share: requests, policies, and what a played loop did."""

from functools import partial

from portmap.events import (
    PortAdded,
    PortChanged,
    PortEvent,
    PortRenewed,
)
from portmap.hookspecs import hookimpl
from portmap.loop.inbox import Message, Register
from portmap.loop.policy import Policy
from portmap.model import Key, PortRequest, Protocol
from portmap.testing import scripted
from portmap.testing.scripted import Recording, ScriptedBackend

TCP, UDP = Protocol.TCP, Protocol.UDP
WEB = PortRequest(TCP, 8080, name="web")
DNS = PortRequest(UDP, 53)
FOREVER = 1e9
RARELY = Policy(ip_interval=5000)  # no check in between: what is seen is renewals
MINUTELY = Policy(ip_interval=60)
play = partial(scripted.play, policy=MINUTELY)
HELD = PortAdded | PortChanged | PortRenewed


class Readable(ScriptedBackend):
    """A gateway whose table can be read."""

    @hookimpl
    def has_mapping(self, protocol: Protocol, external_port: int, internal_port: int) -> bool:
        self._hear("has_mapping", protocol, external_port, internal_port)
        return self.table.get(Key(protocol, internal_port)) == external_port


def wanted(*requests: PortRequest, at: float = 0.0) -> list[tuple[float, Message]]:
    """The part of a story in which ports are asked for."""
    return [(at, Register(request)) for request in requests]


def calls(backend: ScriptedBackend, hook: str = "add_mapping", port: int | None = None) -> list[float]:
    """When a hook was called, for one internal port or all."""
    return [call.at for call in backend.calls if call.hook == hook and (port is None or call.arguments[2] == port)]


def ports_asked_for(backend: ScriptedBackend) -> list[object]:
    """The external port of every add_mapping call."""
    return [call.arguments[1] for call in backend.calls if call.hook == "add_mapping"]


def seconds(told: Recording, name: str) -> list[float]:
    """When an event of that name was told."""
    return [at for at, _ in told.of(name)]


def mapping_events(told: Recording, name: str) -> list[PortEvent]:
    """The mapping events of one name."""
    return [event for _, event in told.of(name) if isinstance(event, PortEvent)]
