"""How a publisher fares: its status, and the two events that tell when that changes.

Law: values only. Times are unix seconds. These events are about the publishers, so publishers are not told them: two
that fail could keep each other busy for ever.
"""

from dataclasses import dataclass, replace

from portmap.events import PublisherEvent, PublisherFailed, PublisherOk


@dataclass(frozen=True, slots=True)
class PublisherHealth:
    """How one publisher fares. `ok` is None before the first outcome; `since` when it became what it is.

    `failures`: how many in a row. `retry_at`: when it is tried again, where it is. `busy_since`: since when it has been
    at its present task; long ago, it hangs.
    """

    publisher: str
    ok: bool | None = None
    since: float | None = None
    failures: int = 0
    reason: str = ""
    error: str = ""
    retry_at: float | None = None
    busy_since: float | None = None

    def succeeded(self, at: float) -> "PublisherHealth":
        """It did what it was told."""
        return PublisherHealth(self.publisher, ok=True, since=self.since if self.ok else at)

    def failed(self, error: BaseException, at: float) -> "PublisherHealth":
        """It did not."""
        return PublisherHealth(
            self.publisher,
            ok=False,
            since=self.since if self.ok is False else at,
            failures=self.failures + 1,
            reason=str(error) or type(error).__name__,
            error=type(error).__name__,
        )

    def with_retry_at(self, retry_at: float | None) -> "PublisherHealth":
        """When it is tried again."""
        return replace(self, retry_at=retry_at)

    def event_since(self, before: "PublisherHealth") -> PublisherEvent | None:
        """What there is to tell, after another status; None if nothing is new."""
        if (self.ok, self.reason, self.error) == (before.ok, before.reason, before.error):
            return None
        if self.ok:
            return PublisherOk(publisher=self.publisher)
        return PublisherFailed(publisher=self.publisher, reason=self.reason, error=self.error)
