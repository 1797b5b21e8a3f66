"""Backends and observers that the tests of the paths share."""

from collections.abc import Callable

from portmap.dispatch.port_mapping import PortMapping
from portmap.events import Event
from portmap.model import PortRequest, Protocol
from portmap.node.local_node import Record

LONG = 5.0  # seconds, that no test here waits out
WEB, DNS = PortRequest(Protocol.TCP, 8080), PortRequest(Protocol.UDP, 53)
Eventually = Callable[[Callable[[], object]], None]


class Observer:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.records: list[Record] = []
        self.ended: list[BaseException | None] = []

    def on_event(self, event: Event) -> None:
        self.events.append(event)

    def on_record(self, record: Record) -> None:
        self.records.append(record)

    def on_settled(self) -> None:
        pass

    def on_end(self, error: BaseException | None) -> None:
        self.ended.append(error)

    def names(self) -> list[str]:
        return [event.event for event in self.events]


Start = Callable[..., PortMapping]


def stopped(running: PortMapping) -> None:
    running.stop()
    assert running.join(LONG)
