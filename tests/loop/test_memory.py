"""A gateway that makes trouble for hours does not make us grow: the loop on scripted time, with all that listens."""

import gc
import itertools
import logging
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path
from typing import ClassVar

import pytest

from portmap.backends.nat import Nat
from portmap.endpoints import Endpoints
from portmap.errors import Garbled, GatewayTimeout, NoGateway, PortmapError, Refused
from portmap.events import Event, PortAdded, PublisherEvent
from portmap.hookspecs import Alert, Closer, hookimpl
from portmap.loop.inbox import Message, Register
from portmap.loop.loop import Loop
from portmap.model import Address, Grant, Kind, PortRequest, Protocol
from portmap.publishers.convergence import Convergence
from portmap.publishers.failure import failure_of
from portmap.publishers.health import PublisherHealth
from portmap.session.event_stream import BACKLOG, EventStream
from portmap.session.state import SessionState
from portmap.storage.status import SessionStatus
from portmap.storage.status_file import StatusFile
from portmap.testing.clock import ScriptedInbox

EARLY, LATE = 1800.0, 7200.0  # seconds
MOST_GROWTH = 64 * 1024  # bytes
REQUESTS = tuple(PortRequest(protocol, 80, lifetime=600) for protocol in Protocol)


class Hostile:
    """A gateway with ever-new ports, addresses and words. `lifetime`: seconds of each lease."""

    kind: ClassVar[Kind] = Kind.LOOP
    lifetime = 600

    def __init__(self, inbox: ScriptedInbox) -> None:
        self.inbox = inbox
        self.numbers = itertools.count()
        self.alert: Alert = lambda _: None

    def __str__(self) -> str:
        return "the hostile gateway"

    def words(self) -> str:
        """Words that were never said before."""
        return f"{next(self.numbers):08x} of " + "nonsense " * 20

    def trouble(self) -> None:
        """What happens at every call."""

    @hookimpl
    def external_ip(self) -> Address:
        self.trouble()
        return IPv4Address("1.2.3.4")

    @hookimpl
    def add_mapping(self, external_port: int, internal_port: int) -> Grant:
        self.trouble()
        return Grant(external_port or internal_port, self.lifetime)

    @hookimpl
    def delete_mapping(self) -> None:
        self.trouble()

    @hookimpl
    def watch(self, alert: Alert) -> Closer:
        self.alert = alert
        return lambda: None


class Moving(Hostile):
    """Another port and address with every lease, which lasts a second."""

    lifetime = 1

    @hookimpl
    def external_ip(self) -> Address:
        return IPv4Address(0x01020304 + next(self.numbers) % 0x10000)

    @hookimpl
    def add_mapping(self, external_port: int, internal_port: int) -> Grant:
        return Grant(1024 + next(self.numbers) % 60000, self.lifetime, token=f"{next(self.numbers):024x}")


class Alerting(Hostile):
    """Every call brings alerts in new words."""

    def trouble(self) -> None:
        for _ in range(20):
            self.alert(self.words())


class Refusing(Hostile):
    """Every call fails in new words, by each kind of error in turn."""

    errors: ClassVar[tuple[type[PortmapError], ...]] = (Refused, Garbled, NoGateway, GatewayTimeout)

    def trouble(self) -> None:
        number = next(self.numbers)
        raise self.errors[number % 4](self.words())


class Flapping(Hostile):
    """There for a minute, gone for a minute, with a new address each time."""

    lifetime = 30

    def trouble(self) -> None:
        if int(self.inbox.seconds // 60) % 2:
            raise GatewayTimeout(self.words())

    @hookimpl
    def external_ip(self) -> Address:
        self.trouble()
        return IPv4Address(0x01020304 + int(self.inbox.seconds // 60))


class Telling(Hostile):
    """Ever-new evidence, hints and tokens."""

    lifetime = 5

    @hookimpl
    def add_mapping(self, external_port: int, internal_port: int) -> Grant:
        return Grant(external_port or internal_port, self.lifetime, token=self.words()[:60])

    @hookimpl
    def evidence(self) -> tuple[str, ...]:
        return tuple(self.words() for _ in range(8))

    @hookimpl
    def hint(self) -> str:
        return self.words()[:100]


class Listeners:
    """What a session and its publishers keep, without their threads. `says`: what else happens with an event."""

    def __init__(self, inbox: ScriptedInbox, folder: Path, says: Callable[[Event], object]) -> None:
        self.inbox = inbox
        self.says = says
        self.state = SessionState()
        self.stream = EventStream()
        self.status = StatusFile(folder, SessionStatus(1, "", "any", 0.0, 0.0).with_requests(REQUESTS, ipv6=False))
        self.endpoints = Endpoints()
        self.plans = [Convergence(), Convergence()]
        self.health = [PublisherHealth("good"), PublisherHealth("bad")]
        self.nat: Nat | None = None
        self.looked_at = 0.0
        for number in range(BACKLOG):  # it is full from the start: it may grow to that, and no further
            self.stream.publish(
                PortAdded(
                    protocol=Protocol.TCP, internal_port=80, name="", reason=f"{number:08x} of " + "nonsense " * 20
                )
            )
        self.reader = self.stream.events()
        for _ in range(BACKLOG):
            next(self.reader)

    def on_event(self, event: Event) -> None:
        self.says(event)
        self.state.apply(event)
        self.stream.publish(event)
        next(self.reader)
        self.status.apply(event)
        if isinstance(event, PublisherEvent):
            return
        self.endpoints = self.endpoints.after(event)
        self.plans = [plan.want(self.endpoints, self.inbox.seconds) for plan in self.plans]

    def on_settled(self) -> None:
        now = self.inbox.seconds
        if self.nat is not None and now >= self.looked_at + 10:  # as often as a user may look
            self.looked_at = now
            self.nat.evidence()
            self.nat.hint()
            self.status.write()
        for number, plan in enumerate(self.plans):
            if plan.due > now or plan.wanted is None:
                continue
            called, before = plan.started(now), self.health[number]
            if number:
                after = before.failed(failure_of(Refused(f"{now} {'no ' * 50}"), None), now)
                self.plans[number] = called.failed(now, 0.0, retry_after=now % 7)
            else:
                after = before.succeeded(now, has=f"{now}")
                self.plans[number] = called.succeeded(plan.wanted, now)
            self.health[number] = after
            if event := after.event_since(before):
                self.on_event(event)


class WeighingInbox(ScriptedInbox):
    """Weighs the memory when the clock passes EARLY and LATE."""

    def __init__(self) -> None:
        super().__init__([(0, Register(request)) for request in REQUESTS], end=LATE + 1)
        self.weights: list[int] = []

    def next(self, until: float) -> Message | None:
        message = super().next(until)
        if len(self.weights) < 2 and self.seconds >= (EARLY, LATE)[len(self.weights)]:
            gc.collect()
            self.weights.append(tracemalloc.get_traced_memory()[0])
        return message


class Unkept(logging.Handler):
    """Formats every record, as with -v, and keeps none."""

    def emit(self, record: logging.LogRecord) -> None:
        self.format(record)


@contextmanager
def logging_everything() -> Iterator[None]:
    """Without pytest's own handlers, which keep all records."""
    logger = logging.getLogger("portmap")
    before = logger.propagate, logger.level, list(logger.handlers)
    logger.propagate, logger.handlers[:] = False, [Unkept()]
    logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logger.propagate, logger.handlers[:] = before[0], before[2]
        logger.setLevel(before[1])


def growth(gateway: type[Hostile], folder: Path, says: Callable[[Event], object] = lambda _: None) -> int:
    """The bytes by which we grow from EARLY to LATE."""
    tracemalloc.start()
    inbox = WeighingInbox()
    listeners = Listeners(inbox, folder, says)
    nat = listeners.nat = Nat(gateway(inbox), "hostile")
    try:
        with logging_everything():
            Loop(nat, inbox, listeners, random=lambda: 0.5).run()
    finally:
        tracemalloc.stop()
        listeners.status.close()
    early, late = inbox.weights
    return late - early


@pytest.mark.parametrize("gateway", [Moving, Alerting, Refusing, Flapping, Telling])
def test_two_hours_with_a_hostile_gateway_take_no_more_memory_than_half_an_hour(
    gateway: type[Hostile], tmp_path: Path
) -> None:
    grown = growth(gateway, tmp_path)
    assert grown <= MOST_GROWTH


@pytest.mark.parametrize("gateway", [Refusing, Flapping])
def test_a_listener_that_keeps_its_events_would_be_found(gateway: type[Hostile], tmp_path: Path) -> None:
    kept: list[str] = []
    grown = growth(gateway, tmp_path, lambda event: kept.append(f"{event} " * 8))
    assert grown > MOST_GROWTH
