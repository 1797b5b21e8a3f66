"""Publishers that the tests of the runner share."""

import threading
from collections.abc import Callable

from portmap.endpoints import Endpoints
from portmap.events import Event, GatewayFound, PortAdded, PortChanged
from portmap.hookspecs import hookimpl
from portmap.model import Protocol
from portmap.publishers.convergence import RetrySchedule
from portmap.publishers.runner import PublisherRunner

LONG = 5.0  # seconds, that no test here waits out
FOUND = GatewayFound(gateway="g")
OPENED = PortAdded(protocol=Protocol.TCP, internal_port=80, external_port=8080)
MOVED = PortChanged(protocol=Protocol.TCP, internal_port=80, external_port=9090)
QUICK = RetrySchedule(settle=0.0, first=0.001, last=0.001)
SLOW = RetrySchedule(settle=0.0, first=LONG, last=LONG)
Eventually = Callable[[Callable[[], object]], None]
Start = Callable[..., PublisherRunner]


class Publisher:
    """Notes what it is told; does what it is made to do first."""

    def __init__(self, first: Callable[[], object] = lambda: None) -> None:
        self.first = first
        self.told: list[Event] = []
        self.thread = ""

    @hookimpl
    def on_event(self, event: Event) -> None:
        self.thread = threading.current_thread().name
        self.first()
        self.told.append(event)


class Converging:
    """Notes each state that it is told of; raises what is next in `errors`, if anything."""

    def __init__(self, *errors: BaseException, first: Callable[[], object] = lambda: None) -> None:
        self.errors = list(errors)
        self.first = first
        self.told: list[tuple[int, bool]] = []

    def __str__(self) -> str:
        return "the monitor"

    @hookimpl
    def converge(self, state: Endpoints, again: bool) -> None:
        self.first()
        self.told.append((state.ports[0].external_port if state.ports else 0, again))
        if self.errors:
            raise self.errors.pop(0)


def closed(runner: PublisherRunner) -> None:
    runner.close()
    runner.join(LONG)
