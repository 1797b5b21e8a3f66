"""A backend that follows a script, and `play`, which runs the real loop against it on scripted time.

told = play(ScriptedBackend().refuse(400, 800), [(0, Register(request))], end=900)
assert told.names() == ["gateway.found", "external_ip.changed", "mapping.added", ...]
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import ClassVar, Self

from portmap.backends.nat import Nat
from portmap.errors import GatewayTimeout, Refused
from portmap.events import Event
from portmap.hookspecs import Alert, Closer, hookimpl
from portmap.loop.inbox import Message
from portmap.loop.loop import Loop
from portmap.loop.policy import Policy
from portmap.model import Address, Grant, Key, Kind, Protocol
from portmap.testing.clock import ScriptedInbox

_ANSWER = "the answer"  # as a hook: what happens after add_mapping has done its work


@dataclass(frozen=True, slots=True)
class Call:
    """One call that the backend heard: when, which hook, and its arguments."""

    at: float
    hook: str
    arguments: tuple[object, ...] = ()


class ScriptedBackend:
    """A gateway with a table, a clock and a list of misfortunes. `lifetime` caps what it grants; None: as asked."""

    kind: ClassVar[Kind] = Kind.LOOP

    def __init__(self, *, lifetime: int | None = None, ports: Callable[[int], int] = lambda port: port) -> None:
        self.inbox = ScriptedInbox(end=0)
        self.calls: list[Call] = []
        self.table: dict[Key, int] = {}
        self.alert: Alert = lambda _: None
        self._lifetime = lifetime
        self._ports = ports
        self._addresses: list[tuple[float, Address]] = [(0.0, IPv4Address("1.2.3.4"))]
        self._troubles: list[tuple[float, float, str, Callable[[], Exception], float]] = []
        self._reboots: list[float] = []

    def __str__(self) -> str:
        return "the scripted gateway"

    # The script ----------------------------------------------------------------------------------------------

    def moves(self, at: float, address: str) -> Self:
        """From second `at` the external address is another."""
        self._addresses.append((at, IPv4Address(address)))
        return self

    def silent(self, since: float, until: float, *, hook: str = "", after: float = 3.75) -> Self:
        """No answer: every call (or only those of one hook) takes `after` seconds and times out."""
        return self.fails(since, until, lambda: GatewayTimeout("the scripted gateway is silent"), hook, after)

    def unheard(self, since: float, until: float, *, after: float = 3.75) -> Self:
        """Mappings are made, but the answer that says so is lost on its way."""
        return self.silent(since, until, hook=_ANSWER, after=after)

    def refuse(self, since: float, until: float, reason: str = "not today", *, hook: str = "add_mapping") -> Self:
        """A hook is refused."""
        return self.fails(since, until, lambda: Refused(reason), hook, 0.0)

    def fails(self, since: float, until: float, error: Callable[[], Exception], hook: str, after: float = 0.0) -> Self:
        """A hook raises what `error` makes, `after` seconds into the call."""
        self._troubles.append((since, until, hook, error, after))
        return self

    def reboots(self, at: float) -> Self:
        """At second `at` the table is gone, without an announcement."""
        self._reboots.append(at)
        return self

    def forget(self, reason: str) -> None:
        """Reboot: the table is gone, and the watcher is told."""
        self.table.clear()
        self.alert(reason)

    # The hooks -----------------------------------------------------------------------------------------------

    @hookimpl
    def external_ip(self) -> Address:
        """The address that the script says holds now."""
        self._hear("external_ip")
        return [address for at, address in self._addresses if at <= self.inbox.seconds][-1]

    @hookimpl
    def add_mapping(self, protocol: Protocol, external_port: int, internal_port: int, lifetime: int) -> Grant:
        """Grant, as the script says."""
        self._hear("add_mapping", protocol, external_port, internal_port, lifetime)
        port = self._ports(external_port or internal_port)
        self.table[Key(protocol, internal_port)] = port
        self._suffer(_ANSWER)
        return Grant(port, lifetime if self._lifetime is None else self._lifetime)

    @hookimpl
    def delete_mapping(self, protocol: Protocol, external_port: int, internal_port: int) -> None:
        """Forget one mapping."""
        self._hear("delete_mapping", protocol, external_port, internal_port)
        self.table.pop(Key(protocol, internal_port), None)

    @hookimpl
    def watch(self, alert: Alert) -> Closer:
        """Keep the alert for `forget`."""
        self.alert = alert
        return lambda: None

    def _hear(self, hook: str, *arguments: object) -> None:
        now = self.inbox.seconds
        self.calls.append(Call(now, hook, arguments))
        while self._reboots and self._reboots[0] <= now:
            del self._reboots[0]
            self.table.clear()
        self._suffer(hook)

    def _suffer(self, hook: str) -> None:
        """Raise what the script has for this hook now."""
        for since, until, only, error, after in self._troubles:
            if since <= self.inbox.seconds < until and (only == hook or (not only and hook != _ANSWER)):
                self.inbox.pass_time(after)
                raise error()


@dataclass(slots=True)
class Recording:
    """What a played loop told: each event with its second, and when it settled."""

    inbox: ScriptedInbox
    events: list[tuple[float, Event]] = field(default_factory=list)
    settled: list[float] = field(default_factory=list)

    def on_event(self, event: Event) -> None:
        """Note an event."""
        self.events.append((self.inbox.seconds, event))

    def on_settled(self) -> None:
        """Note a settling."""
        self.settled.append(self.inbox.seconds)

    def names(self) -> list[str]:
        """The names of the events, in order."""
        return [event.event for _, event in self.events]

    def of(self, name: str) -> list[tuple[float, Event]]:
        """The events of one name, with their seconds."""
        return [(at, event) for at, event in self.events if event.event == name]


def play(
    backend: ScriptedBackend,
    story: Iterable[tuple[float, Message]],
    *,
    end: float,
    policy: Policy | None = None,
    spread: float = 0.0,
) -> Recording:
    """Run the real loop with the real Nat through a story; `spread` is every random number it draws."""
    inbox = backend.inbox = ScriptedInbox(story, end=end)
    told = Recording(inbox)
    Loop(Nat(backend, "scripted"), inbox, told, policy, random=lambda: spread).run()
    return told
