"""The registrar: enters in the book what has become of a lease, and tells. Law: asks the gateway for nothing."""

import logging
from collections.abc import Callable

from portmap.errors import NoGateway, PortmapError, Refused, error_kind
from portmap.events import Event
from portmap.loop import lease_events, renewal_order
from portmap.loop.inbox import Inbox
from portmap.loop.lease import Lease
from portmap.loop.lease_table import LeaseTable

_log = logging.getLogger("portmap.loop")


class Registrar:
    """Owned by the keeper, whose book it is."""

    def __init__(
        self,
        book: LeaseTable,
        inbox: Inbox,
        tell: Callable[[Event], None],
        random: Callable[[], float],
        trouble_level: int,
    ) -> None:
        self._book = book
        self._inbox = inbox
        self._tell = tell
        self._random = random
        self._trouble_level = trouble_level

    def granted(self, before: Lease, *after: Lease) -> None:
        """The first was granted; the second, if any, is its partner."""
        for lease in after:
            self._book.put(lease)
        self._tell(lease_events.event_of_grant(before, after[0]))
        self.renew_companion(before)

    def record_failure(self, lease: Lease, error: PortmapError, *, unsure: bool = False) -> None:
        """It was not granted. Told once a reason; `unsure`: the gateway may hold it all the same."""
        reason, kind = str(error), error_kind(error)
        wait = error.retry_after if isinstance(error, Refused) else 0
        maybe = unsure or not isinstance(error, Refused | NoGateway)  # those are clear; other words may hide a yes
        self._book.put(
            lease.failed(reason, self._inbox.now(), self._random(), unsure=maybe, retry_after=wait, kind=kind)
        )
        what = "renewed" if lease.held else "mapped"
        if kind == lease.failure_kind:
            _log.debug("%s %d is still not %s: %s", *lease.key, what, reason)
            return
        _log.log(self._trouble_level, "%s %d is not %s: %s", *lease.key, what, reason)
        self._tell(lease_events.event_of_failure(lease, error))

    def record_loss(self, lease: Lease, reason: str) -> Lease:
        """It is shut. The answer is what is left of the lease."""
        _log.log(self._trouble_level, "%s %d is lost: %s", *lease.key, reason)
        lost = lease.lost()
        self._book.put(lost)
        self._tell(lease_events.event_of_loss(lease, reason))
        return lost

    def renew_companion(self, asked: Lease, *, touched: bool = True) -> None:
        """The gateway has answered for this one: now for its companion, if that is due or may have been shut."""
        companion, now = self._book.get(asked.companion), self._inbox.now()
        if companion and (companion.attempt_at <= now or (touched and renewal_order.may_be_shut_by(companion, asked))):
            self._book.put(companion.follow_companion(now))

    def postpone_companion(self, lease: Lease, error: PortmapError, *, others_are_answered: bool) -> None:
        """No word for this one: the younger that is due waits with it, unless the gateway has words for others."""
        companion, now = self._book.get(lease.companion), self._inbox.now()
        if not companion or companion.attempt_at > now or not renewal_order.must_wait_for(companion, lease):
            return
        if others_are_answered and companion.failures >= renewal_order.MAX_POSTPONEMENTS:
            self._book.put(companion.follow_companion(now))
        else:
            self.record_failure(companion, error)

    def record_removal(self, lease: Lease, error: PortmapError | None) -> None:
        """We are done with it; with an error, the gateway did not confirm."""
        if lease.held:
            self._tell(lease_events.event_of_removal(lease, error))
