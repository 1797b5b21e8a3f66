"""One cell: a backend meets a router, and what came of it.

The backend is called through Nat, or by the real loop; what is seen is seen from outside.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from math import inf
from typing import TypeVar

from tests.matrix.columns import Column
from tests.matrix.jumping_clock import JumpingInbox, Scene
from tests.matrix.lan import NEIGHBOUR, add_entry
from tests.matrix.outcomes import LEASE, RIGHT, Deceived, Holds, Lost, Outcome, Raises, Seen, Works
from tests.matrix.rows import Row, Story

from portmap import errors
from portmap.backends.nat import Nat
from portmap.errors import NATError, PluginError
from portmap.events import Event, PortAdded, PortChanged, PortLost, PortRemoved, PortRenewed
from portmap.loop.inbox import Register
from portmap.loop.loop import Loop
from portmap.loop.policy import Policy
from portmap.model import CALL_DEADLINE, Grant, PortRequest, Protocol
from portmap.testing import Quirks, Router

T = TypeVar("T")


def meet(column: Column, quirks: Quirks, row: Row, internal_port: int) -> Seen:
    """Let the backend map the service's port at a router with these quirks, once or for a while."""
    if row.story is None:
        return _once(column, quirks, row, internal_port)
    return _for_a_while(column, quirks, row, row.story, internal_port)


def _public(error: Exception) -> type[Exception]:
    """The error as it is public: its class, or the nearest one in `portmap.errors`."""
    return next(kind for kind in type(error).__mro__ if kind.__module__ == errors.__name__)


# Once ----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Visit:
    """One backend at one router, called through Nat."""

    nat: Nat
    router: Router
    column: Column
    internal_port: int
    suggested_port: int
    slowest: float = 0.0

    def run(self) -> tuple[Outcome, int]:
        """The outcome, and how many of our mappings are left after deleting."""
        address = self._address()
        grants: list[tuple[Protocol, Grant]] = []
        try:
            for protocol in Protocol:
                grants.append((protocol, self._add(protocol)))  # noqa: PERF401  # the first is kept if the second fails
        except (NATError, PluginError) as error:
            outcome: Outcome = Raises(_public(error))
        else:
            outcome = self._mapped(address, grants)
        return outcome, self._left_of(grants)

    def _add(self, protocol: Protocol) -> Grant:
        return self._call(
            partial(self.nat.add_mapping, protocol, self.suggested_port, self.internal_port, "matrix", LEASE)
        )

    def _mapped(self, address: str, grants: list[tuple[Protocol, Grant]]) -> Outcome:
        if not all(self.column.reached(self.router, protocol, grant.external_port) for protocol, grant in grants):
            return Deceived()
        same = all(grant.external_port == (self.suggested_port or self.internal_port) for _, grant in grants)
        return Works(same, max(grant.lifetime for _, grant in grants), address)

    def _left_of(self, grants: list[tuple[Protocol, Grant]]) -> int:
        """What was never granted may be left behind: that is for the loop."""
        for protocol, grant in grants:
            with suppress(NATError):
                ports = grant.external_port, self.internal_port
                self._call(partial(self.nat.delete_mapping, protocol, *ports, token=grant.token))
        return self.column.left(self.router, self.internal_port) if grants else 0

    def _address(self) -> str:
        try:
            stated = str(self._call(self.nat.external_ip))
        except (NATError, PluginError) as error:
            return _public(error).__name__
        return RIGHT if stated == self.column.address else stated

    def _call(self, hook: Callable[[], T]) -> T:
        began = time.monotonic()
        try:
            return hook()
        finally:
            self.slowest = max(self.slowest, time.monotonic() - began)


def _once(column: Column, quirks: Quirks, row: Row, internal_port: int) -> Seen:
    with column.router(time.monotonic, quirks, row.speaks) as router:
        add_entry(router)
        suggested_port = internal_port if column.ipv6 else row.suggested_port  # nothing is translated
        visit = _Visit(column.make_nat(router, time.monotonic), router, column, internal_port, suggested_port)
        outcome, left = visit.run()
        return Seen(outcome, visit.slowest, router.heard.trap, NEIGHBOUR not in router.entries, left)


# For a while ---------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Recorder:
    """What the loop recorded."""

    events: list[Event] = field(default_factory=list)
    ports: dict[Protocol, int] = field(default_factory=dict)

    def on_event(self, event: Event) -> None:
        self.events.append(event)
        match event:
            case PortAdded() | PortChanged() | PortRenewed():
                self.ports[event.protocol] = event.external_port or 0
            case PortLost() | PortRemoved():
                self.ports.pop(event.protocol, None)

    def on_settled(self) -> None:
        """Nothing more for now."""

    def arrive(self, reached: Callable[[Protocol, int], bool]) -> bool:
        """Whether bytes arrive where the events say."""
        return len(self.ports) == len(Protocol) and all(reached(*each) for each in self.ports.items())

    def names(self) -> list[str]:
        return [event.event for event in self.events]


def _for_a_while(column: Column, quirks: Quirks, row: Row, story: Story, internal_port: int) -> Seen:
    inbox = JumpingInbox()
    with column.router(inbox.now, quirks, row.speaks) as router:
        add_entry(router)
        arrived: list[bool] = []
        suggested_port = 0 if column.ipv6 else row.suggested_port
        requests = [PortRequest(protocol, internal_port, suggested_port, lifetime=story.lease) for protocol in Protocol]
        scenes: list[Scene] = [(0.0, partial(Register, request)) for request in requests]
        scenes += [(at, partial(what, router)) for at, what in story.happenings]
        recorded = Recorder()
        scenes += [(story.span, lambda: arrived.append(recorded.arrive(partial(column.reached, router))))]
        inbox.tell(scenes, story.span, partial(_shut_at, column, router, internal_port))
        nat = column.make_nat(router, inbox.now)
        policy = Policy(story.ip_interval, clean_up=CALL_DEADLINE)  # so many cells at once may need more than 2 s
        Loop(nat, inbox, recorded, policy, random=lambda: 0.5).run()
        outcome = Holds(inbox.gaps.longest) if arrived == [True] else Lost(", ".join(recorded.names()))
        reboots = any(what is Router.reboot for _, what in story.happenings)
        touched = NEIGHBOUR not in router.entries and not reboots
        return Seen(outcome, 0.0, router.heard.trap, touched, column.left(router, internal_port))


def _shut_at(column: Column, router: Router, internal_port: int) -> float:
    """When the first of our two ports will be shut; -inf where one is."""
    entries = column.ours(router, internal_port)
    return min(max((it.ends for it in entries if it.protocol is each), default=-inf) for each in Protocol)
