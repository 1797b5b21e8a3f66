"""All the publishers of a session, each at its desk.

Law: telling never blocks. Only the first who can sign signs: a record has one signature.
"""

import time
from collections.abc import Callable, Iterable

from portmap.events import Event, PublisherEvent
from portmap.node.local_node import Record
from portmap.publishers.health import PublisherHealth
from portmap.publishers.runner import PublisherRunner

DRAIN = 0.3  # seconds that publishers get to finish after the end


class PublisherGroup:
    """The desks; `tell` of a publisher's own news goes to `listener`, from the desk's thread."""

    def __init__(self, desks: Iterable[PublisherRunner], listener: Callable[[PublisherEvent], object]) -> None:
        self._desks = tuple(desks)
        self._signer = next((desk for desk in self._desks if desk.signs), None)
        for desk in self._desks:
            desk.on_health_event(listener)

    @property
    def statuses(self) -> tuple[PublisherHealth, ...]:
        """How each publisher is doing."""
        return tuple(desk.status for desk in self._desks)

    def handle(self, event: Event) -> None:
        """Pass an event on to everybody."""
        for desk in self._desks:
            desk.handle(event)

    def reassert(self) -> None:
        """Have everybody say again what holds now, as if the target had forgotten."""
        for desk in self._desks:
            desk.reassert()

    def sign(self, record: Record, then: Callable[[str], None]) -> None:
        """Have the record signed; `then` is called with the text, which is empty where nobody signs."""
        if self._signer is None:
            then("")
        else:
            self._signer.sign(record, then)

    def close(self) -> None:
        """No more work will come; wait a moment for what is left."""
        for desk in self._desks:
            desk.close()
        deadline = time.monotonic() + DRAIN
        for desk in self._desks:
            desk.join(max(0.0, deadline - time.monotonic()))
