"""All leases, by key and by next wake-up; enters what became of a lease, and tells it. Loop thread only.

Rules:
- The gateway is asked for nothing here.
- A heap finds the lease that wakes first, so that many leases cost no more than few. An entry of the heap that is no
  longer a lease's latest is passed over when it comes up.
"""

import logging
from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush
from itertools import count
from typing import TYPE_CHECKING

from portmap.errors import NoGateway, PortmapError, Refused, error_kind
from portmap.events import Event
from portmap.loop import lease_events, renewal_order
from portmap.loop.inbox import Inbox
from portmap.loop.lease import Lease
from portmap.model import Key

if TYPE_CHECKING:  # a session without a state folder does not import it
    from portmap.storage.journal_writer import JournalWriter

SLACK = 64  # outdated entries that are not worth a clean-up
_log = logging.getLogger("portmap.loop")


class LeaseTable:
    """Leases by key and wake-up. `emit` is called with each event; `trouble_level` is the log level of failures.

    `journal` notes what the gateway holds.
    """

    def __init__(
        self,
        inbox: Inbox,
        emit: Callable[[Event], None],
        random: Callable[[], float],
        trouble_level: int,
        journal: "JournalWriter | None" = None,
    ) -> None:
        self._inbox = inbox
        self._emit = emit
        self._random = random
        self._trouble_level = trouble_level
        self._journal = journal
        self._leases: dict[Key, Lease] = {}
        self._ticket: dict[Key, int] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._tickets = count()

    def __iter__(self) -> Iterator[Lease]:
        return iter(tuple(self._leases.values()))

    def __contains__(self, key: Key) -> bool:
        return key in self._leases

    def get(self, key: Key) -> Lease | None:
        """The lease of that key."""
        return self._leases.get(key)

    def put(self, lease: Lease) -> None:
        """Add a lease, or replace it by what became of it. Tells nothing."""
        ticket = next(self._tickets)
        self._leases[lease.key] = lease
        self._ticket[lease.key] = ticket
        heappush(self._heap, (lease.wake_at, ticket, lease.key))
        if len(self._heap) > 2 * len(self._leases) + SLACK:
            self._clean()

    def remove(self, key: Key) -> None:
        """Remove a lease. Tells nothing."""
        del self._leases[key], self._ticket[key]

    def next_due(self) -> Lease | None:
        """The lease that wakes first; of several, the one put first."""
        while self._heap:
            _, ticket, key = self._heap[0]
            if self._ticket.get(key) == ticket:
                return self._leases[key]
            heappop(self._heap)
        return None

    def _clean(self) -> None:
        self._heap = [entry for entry in self._heap if self._ticket.get(entry[2]) == entry[1]]
        heapify(self._heap)

    # Outcomes ------------------------------------------------------------------------------------------------

    def record_grant(self, before: Lease, *after: Lease) -> None:
        """The first was granted; the second, if any, is its partner. Its companion may be due next."""
        for lease in after:
            self.put(lease)
        if self._journal is not None:
            self._journal.granted(after[0].mapping, after[0].token, after[0].target_port, after[0].client)
        self._emit(lease_events.event_of_grant(before, after[0]))
        self.renew_companion(before)

    def record_failure(self, lease: Lease, error: PortmapError, *, unsure: bool = False) -> None:
        """It was not granted. Told once for each kind of error; `unsure`: the gateway may hold it all the same."""
        reason, kind = str(error), error_kind(error)
        wait = error.retry_after if isinstance(error, Refused) else 0
        maybe = unsure or not isinstance(error, Refused | NoGateway)  # any other error may hide a yes
        self.put(lease.failed(reason, self._inbox.now(), self._random(), kind=kind, unsure=maybe, retry_after=wait))
        what = "renewed" if lease.held else "mapped"
        if kind == lease.trouble.kind:
            _log.debug("%s is still not %s: %s", lease.key, what, reason)
            return
        _log.log(self._trouble_level, "%s is not %s: %s", lease.key, what, reason)
        self._emit(lease_events.event_of_failure(lease, error))

    def record_loss(self, lease: Lease, reason: str) -> Lease:
        """The port is shut. Returns what is left of the lease."""
        _log.log(self._trouble_level, "%s is lost: %s", lease.key, reason)
        lost = lease.lost()
        self.put(lost)
        self._note_gone(lease.key)
        self._emit(lease_events.event_of_loss(lease, reason))
        return lost

    def record_expiry(self, lease: Lease) -> Lease:
        """Its lease ran out. Returns what is left of it. Its companion is next, if that is due."""
        lost = self.record_loss(lease, lease.trouble.reason or "the lease ran out")
        self.renew_companion(lease)
        return lost

    def record_removal(self, lease: Lease, error: PortmapError | None, left: str = "") -> None:
        """The port is wanted no more. With an error, the gateway did not confirm the deletion.

        `left`: that it was not deleted, and why.
        """
        if not lease.held:
            return
        if error is None:
            self._note_gone(lease.key)
        self._emit(lease_events.event_of_removal(lease, error, left))

    def _note_gone(self, key: Key) -> None:
        if self._journal is not None:
            self._journal.gone(key)

    # TCP and UDP of one port: see `renewal_order` ------------------------------------------------------------

    def renew_companion(self, asked: Lease, *, touched: bool = True) -> None:
        """The gateway answered for this one: its companion is next, if it is due or may have been shut."""
        companion, now = self.get(asked.companion), self._inbox.now()
        if companion and (companion.attempt_at <= now or (touched and renewal_order.may_be_shut_by(companion, asked))):
            self.put(companion.follow_companion(now))

    def postpone_companion(self, lease: Lease, error: PortmapError, *, others_are_answered: bool) -> None:
        """No answer for this one: a younger companion that is due waits with it, unless others get answers."""
        companion, now = self.get(lease.companion), self._inbox.now()
        if not companion or companion.attempt_at > now or not renewal_order.must_wait_for(companion, lease):
            return
        if others_are_answered and companion.trouble.failures >= renewal_order.MAX_POSTPONEMENTS:
            self.put(companion.follow_companion(now))
        else:
            self.record_failure(companion, error)
