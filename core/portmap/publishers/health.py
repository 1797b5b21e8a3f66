"""PublisherHealth: how a publisher fares, and the event that tells when that changes. Pure. Times are unix seconds.

Publishers are never told these events: two that fail could keep each other busy without end.
"""

from dataclasses import dataclass, replace

from portmap.events import PublisherEvent, PublisherFailed, PublisherOk
from portmap.publishers.failure import Failure


@dataclass(frozen=True, slots=True)
class PublisherHealth:
    """`ok`: None before the first outcome, then whether the last call succeeded; `since`: since when.

    `has`: what the target has, in words for people (`56164`). `failures`: how many in a row. `retry_at`: when it is
    tried again, None if it is not. `busy_since`: since when the present call runs; a time long ago means that it hangs.
    """

    publisher: str
    ok: bool | None = None
    since: float | None = None
    has: str = ""
    failures: int = 0
    reason: str = ""
    error: str = ""
    retry_at: float | None = None
    busy_since: float | None = None

    def succeeded(self, at: float, has: str = "") -> "PublisherHealth":
        """After a call that succeeded."""
        return PublisherHealth(self.publisher, ok=True, since=self.since if self.ok else at, has=has)

    def failed(self, failure: Failure, at: float) -> "PublisherHealth":
        """After a call that failed."""
        return PublisherHealth(
            self.publisher,
            ok=False,
            since=self.since if self.ok is False else at,
            failures=self.failures + 1,
            reason=failure.reason,
            error=failure.error,
        )

    def idle(self) -> "PublisherHealth":
        """After a call that had nothing to publish: it says nothing about how the publisher fares."""
        return replace(self, busy_since=None)

    def with_retry_at(self, retry_at: float | None) -> "PublisherHealth":
        """The same with the time of the next try."""
        return replace(self, retry_at=retry_at)

    def event_since(self, before: "PublisherHealth") -> PublisherEvent | None:
        """The event that follows from the change; None if there is nothing to tell."""
        if (self.ok, self.has, self.reason, self.error) == (before.ok, before.has, before.reason, before.error):
            return None
        if self.ok:
            return PublisherOk(publisher=self.publisher, has=self.has)
        return PublisherFailed(publisher=self.publisher, reason=self.reason, error=self.error)
