"""The keeper of the leases: asks for each when it is due, renews, loses, deletes; owned by the loop.

Law: what follows from an outcome is for `lease` to say. No silence of the gateway is judged here: that is for the
lookout, which is told to look.
"""

import logging
from collections.abc import Callable
from math import inf

from portmap import news
from portmap.errors import SILENCE, Conflict, GatewayTimeout, NATError, PluginError, PortmapError, Refused
from portmap.events import Event
from portmap.inbox import Inbox, Interrupted
from portmap.lease import Lease
from portmap.leasebook import LeaseBook
from portmap.lookout import Lookout
from portmap.model import Grant, Key, PortRequest
from portmap.nat import Nat
from portmap.policy import OnConflict, Policy

_log = logging.getLogger("portmap.loop")


class Keeper:
    """Every lease of the session."""

    def __init__(
        self,
        nat: Nat,
        inbox: Inbox,
        lookout: Lookout,
        tell: Callable[[Event], None],
        policy: Policy,
        random: Callable[[], float],
    ) -> None:
        self._nat = nat
        self._inbox = inbox
        self._lookout = lookout
        self._tell = tell
        self._policy = policy
        self._random = random
        self._book = LeaseBook()
        self._interrupted: Lease | None = None

    @property
    def due(self) -> float:
        """When the next lease needs attention."""
        first = self._book.first()
        return inf if first is None else first.wake_at

    def token_of(self, key: Key) -> str:
        """What the backend wants back with this mapping; empty for nothing."""
        lease = self._book.get(key)
        return "" if lease is None else lease.token

    def want(self, request: PortRequest, remembered_port: int = 0, remembered_token: str = "") -> None:
        """Keep this port open from now on; what is kept already is left as it is.

        The port that it had once is asked for again - unless only one port is good enough.
        """
        if self._policy.on_conflict is OnConflict.FAIL:
            remembered_port = 0
        if request.key not in self._book:
            self._book.put(Lease.of(request, self._inbox.now(), remembered_port, remembered_token))

    def let_go(self, key: Key) -> None:
        """Nobody wants the port any more. What was never opened is not ours to delete."""
        lease = self._book.get(key)
        if lease is None:
            return
        if lease.held or lease.unsure:
            self._remove(lease, self._policy.call_deadline)
            self._mend_companion(lease)
        self._book.remove(key)  # last: a stop during the deleting leaves it to the cleaning up

    def all_at_once(self) -> None:
        """The gateway may have forgotten us: ask for everything again."""
        now = self._inbox.now()
        for lease in self._book:
            self._book.put(lease.at_once(now))

    def attend(self) -> None:
        """Do what the lease that is due needs."""
        lease = self._book.first()
        if lease is None:
            return
        if lease.lapsed(self._inbox.now()):
            self._lose(lease, lease.reason or "the lease ran out")
        else:
            self._attempt(lease)

    def clean_up(self) -> None:
        """Delete what we hold, and what we may hold, within the policy's time; a silent gateway is asked once."""
        deadline = self._inbox.now() + self._policy.clean_up
        self._finish_attempt()
        answers = True
        for lease in self._book:
            if lease.held or (lease.unsure and self._lookout.address is not None):
                answers = self._remove(lease, deadline - self._inbox.now() if answers else 0.0)

    # Asking --------------------------------------------------------------------------------------------------

    def _attempt(self, lease: Lease) -> None:
        asked_at = self._inbox.now()
        try:
            grant = self._ask(lease)
        except Interrupted:
            self._interrupted = lease
            raise
        except SILENCE as error:
            self._refused(lease, error, unsure=isinstance(error, GatewayTimeout))
            self._doubt(error)
        except (NATError, PluginError) as error:
            self._answered()
            doubted = lease.held and lease.doubtful
            unsure = doubted or not isinstance(error, Refused)  # a refusal is clear; other words may hide a yes
            self._refused(self._lose(lease, str(error)) if doubted else lease, error, unsure=unsure)
        else:
            self._answered()
            self._granted(lease, grant, asked_at)

    def _ask(self, lease: Lease) -> Grant:
        request = lease.request
        return self._nat.add_mapping(
            request.protocol,
            lease.wanted_port,
            request.internal_port,
            request.name,
            request.lifetime,
            self._policy.call_deadline,
            lease.token,
        )

    def _granted(self, before: Lease, grant: Grant, asked_at: float) -> None:
        after = before.granted(grant, self._lookout.address, asked_at, self._random())
        if self._policy.on_conflict is OnConflict.FAIL and grant.external_port != before.request.wish:
            self._give_back(before, after)
            return
        self._book.put(after)
        self._tell(news.of_grant(before, after))
        if before.held:
            self._mend_companion(before)

    def _give_back(self, before: Lease, after: Lease) -> None:
        """Another port is not good enough: delete it, and say whose fault it is."""
        wish, port = before.request.wish, after.external_port
        self._remove(after, self._policy.call_deadline, quietly=True)
        conflict = Conflict(f"{self._nat} gave port {port}, for {wish} is taken: free it, or accept others")
        self._refused(self._lose(before, str(conflict)) if before.held else before, conflict)

    def _refused(self, lease: Lease, error: PortmapError, *, unsure: bool = False) -> None:
        reason = str(error)
        self._book.put(lease.failed(reason, self._inbox.now(), self._random(), unsure=unsure))
        what = "renewed" if lease.held else "mapped"
        if reason == lease.reason:
            _log.debug("%s %d is still not %s: %s", *lease.key, what, reason)
            return
        _log.warning("%s %d is not %s: %s", *lease.key, what, reason)
        self._tell(news.of_failure(lease, error))

    def _lose(self, lease: Lease, reason: str) -> Lease:
        _log.warning("%s %d is lost: %s", *lease.key, reason)
        lost = lease.lost()
        self._book.put(lost)
        self._tell(news.of_loss(lease, reason))
        return lost

    def _mend_companion(self, touched: Lease) -> None:
        companion = self._book.get(touched.companion)
        if companion is not None and touched.shuts(companion):
            self._book.put(companion.go_along(self._inbox.now()))

    def _answered(self) -> None:
        """A gateway that was lost may be back."""
        if self._lookout.lost:
            self._lookout.at_once()

    def _doubt(self, error: NATError) -> None:
        """Silence: find out whether the gateway is lost. If it is known to be, no other lease that is due need try."""
        if not self._lookout.lost:
            self._lookout.at_once()
            return
        for lease in self._book:
            if lease.due <= self._inbox.now():
                self._refused(lease, error)

    # Deleting ------------------------------------------------------------------------------------------------

    def _finish_attempt(self) -> None:
        """A stop came during an attempt: what it still comes to is ours, too."""
        lease = self._interrupted
        if lease is None:
            return
        now = self._inbox.now()
        grant = self._nat.interrupted_grant(self._policy.clean_up / 2)
        self._book.put(
            lease.granted(grant, self._lookout.address, now, 0.0)
            if grant
            else lease.failed("interrupted", now, 0.0, unsure=True)
        )

    def _remove(self, lease: Lease, timeout: float, *, quietly: bool = False) -> bool:
        """Delete one mapping and tell; the answer is whether the gateway answers."""
        error: PortmapError | None = None
        try:
            self._delete(lease, timeout)
        except (NATError, PluginError) as failure:
            error = failure
            _log.warning("%s %d could not be deleted: %s", *lease.key, error)
        if lease.held and not quietly:
            self._tell(news.of_removal(lease, error))
        return not isinstance(error, SILENCE)

    def _delete(self, lease: Lease, timeout: float) -> None:
        if timeout <= 0:
            raise GatewayTimeout(f"{self._nat} left no time for it")
        request = lease.request
        port = lease.external_port or lease.wanted_port or request.internal_port
        self._nat.delete_mapping(request.protocol, port, request.internal_port, timeout, lease.token)
