"""What the tests of sessions share."""

from collections.abc import Callable
from typing import Any

from portmap.backends.nat import Nat
from portmap.dispatch.path_setup import PathSetup
from portmap.events import Event
from portmap.hookspecs import hookimpl
from portmap.model import PortRequest, Protocol
from portmap.publishers.runner import PublisherRunner
from portmap.session.session import Session

LONG = 5.0  # seconds, that no test here waits out
WEB, DNS = PortRequest(Protocol.TCP, 8080, name="web"), PortRequest(Protocol.UDP, 53)


class Publisher:
    """Notes what it is told."""

    def __init__(self, first: Callable[[], object] = lambda: None) -> None:
        self.first = first
        self.told: list[Event] = []

    @hookimpl
    def on_event(self, event: Event) -> None:
        self.first()
        self.told.append(event)


class Open:
    """Opens sessions and closes them after the test."""

    def __init__(self) -> None:
        self.sessions: list[Session] = []

    def __call__(self, backend: Any, *requests: PortRequest, publishers: tuple[Publisher, ...] = ()) -> Session:
        desks = [PublisherRunner(publisher, f"publisher {number}") for number, publisher in enumerate(publishers)]
        session = Session([PathSetup(Nat(backend, "fake"))], requests, desks)
        self.sessions.append(session)
        return session


def names(session: Session) -> list[str]:
    """The names of all its events, to the end."""
    return [event.event for event in session.events()]
