"""PublisherGroup: all publishers of a session. Passing an event on never blocks."""

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from portmap.events import Event
from portmap.node.local_node import Record

if TYPE_CHECKING:  # a session without a publisher does not import what runs one
    from portmap.publishers.health import PublisherHealth
    from portmap.publishers.runner import HealthListener, PublisherRunner

DRAIN = 0.3  # seconds that publishers get to finish after the end


class PublisherGroup:
    """The runners of a session. `listener` gets the events about the publishers, in the thread of each.

    A record has one signature: the first publisher that can sign signs it.
    """

    def __init__(self, runners: "Iterable[PublisherRunner]", listener: "HealthListener") -> None:
        self._runners = tuple(runners)
        self._signer = next((runner for runner in self._runners if runner.signs), None)
        for runner in self._runners:
            runner.on_health_event(listener)

    @property
    def statuses(self) -> "tuple[PublisherHealth, ...]":
        """How each publisher fares."""
        return tuple(runner.status for runner in self._runners)

    def handle(self, event: Event) -> None:
        """Pass an event on to all publishers."""
        for runner in self._runners:
            runner.handle(event)

    def reassert(self) -> None:
        """Have all publishers repeat the present state, as if the targets had lost it."""
        for runner in self._runners:
            runner.reassert()

    def sign(self, record: Record, then: Callable[[str], None]) -> None:
        """Have the record signed; `then` is called with the text, which is empty where no publisher signs."""
        if self._signer is None:
            then("")
        else:
            self._signer.sign(record, then)

    def close(self) -> None:
        """No more work will come. Waits at most DRAIN seconds for what is left."""
        for runner in self._runners:
            runner.close()
        deadline = time.monotonic() + DRAIN
        for runner in self._runners:
            runner.join(max(0.0, deadline - time.monotonic()))
