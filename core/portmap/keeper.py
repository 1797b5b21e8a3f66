"""The keeper of the leases: asks for each when it is due, renews, loses, deletes; owned by the loop.

Law: what follows from an outcome is for `lease` to say, and for `pairs` where two ports must agree. No silence of the
gateway is judged here: that is for the lookout, which is told to look.
"""

import logging
from collections.abc import Callable
from math import inf

from portmap import news, pairs
from portmap.clerk import Clerk
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
        self._clerk = Clerk(nat, policy.call_deadline)
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

    def inner_port_of(self, key: Key) -> int:
        """The internal port by which the gateway knows this mapping: with `follow` it may be another than the key's."""
        lease = self._book.get(key)
        return key[1] if lease is None else lease.inner_port

    def want(self, request: PortRequest, remembered_port: int = 0, remembered_token: str = "") -> None:
        """Keep this port open from now on; what is kept already is left as it is.

        The port that it had once is asked for again - unless only one port is good enough.
        """
        if request.key in self._book:
            return
        port = 0 if self._insists_on(request) else remembered_port
        lease = Lease.of(request, self._inbox.now(), port, remembered_token)
        partner = self._partner_of(lease)
        self._book.put(pairs.aligned(lease, partner) if partner else lease)

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
            grant = self._clerk.ask(lease)
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

    def _granted(self, before: Lease, grant: Grant, asked_at: float) -> None:
        after = before.granted(grant, self._lookout.address, asked_at, self._random())
        if self._insists_on(after.request) and after.external_port != after.request.wish:
            self._give_back(before, after)
            return
        partner = self._partner_of(after)
        move = pairs.next_move(after, partner, self._random(), pairs.busy(after, self._book))
        if move and move.key == after.key:
            self._move_untold(before, after, move)
        elif partner and move:
            self._enter(before, after)
            self._move(partner, move)
        else:
            self._enter(before, *pairs.settled(after, partner))

    def _enter(self, before: Lease, *after: Lease) -> None:
        """Tell of the grant of the first; the second, if any, is its partner."""
        for lease in after:
            self._book.put(lease)
        self._tell(news.of_grant(before, after[0]))
        if before.held:
            self._mend_companion(before)

    def _give_back(self, before: Lease, after: Lease) -> None:
        """Another port is not good enough: delete it, and say whose fault it is."""
        wish, port = before.request.wish, after.external_port
        self._remove(after, self._policy.call_deadline, quietly=True)
        conflict = Conflict(f"{self._nat} gave port {port}, for {wish} is taken: free it, or accept others")
        self._refused(self._lose(before, str(conflict)) if before.held else before, conflict)

    # Elsewhere -----------------------------------------------------------------------------------------------

    def _insists_on(self, request: PortRequest) -> bool:
        """Whether only one external port will do."""
        any_port = request.follow and not request.external_port
        return self._policy.on_conflict is OnConflict.FAIL and not any_port

    def _partner_of(self, lease: Lease) -> Lease | None:
        """The other half of a pair, where the two may go elsewhere together."""
        return None if self._insists_on(lease.request) else pairs.partner(lease, self._book.get(lease.companion))

    def _move_untold(self, before: Lease, after: Lease, move: pairs.Move) -> None:
        """What was granted will not do: have it elsewhere before anybody hears of it."""
        untold = before.untold(after)
        self._book.put(untold)  # a stop during the deleting leaves it to the cleaning up
        if self._clerk.clear(after):
            self._book.put(untold.moved(move.external_port, move.inner_port))
        else:
            self._enter(before, after.stuck(self._inbox.now()))

    def _move(self, lease: Lease, move: pairs.Move) -> None:
        gone = self._clerk.clear(lease)
        ports = move.external_port, move.inner_port
        self._book.put(lease.moved(*ports) if gone else lease.stuck(self._inbox.now()))

    def _refused(self, lease: Lease, error: PortmapError, *, unsure: bool = False) -> None:
        reason = str(error)
        wait = error.retry_after if isinstance(error, Refused) else 0
        now = self._inbox.now()
        self._book.put(lease.failed(reason, now, self._random(), unsure=unsure, retry_after=wait))
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
            self._clerk.delete(lease, timeout)
        except (NATError, PluginError) as failure:
            error = failure
            _log.warning("%s %d could not be deleted: %s", *lease.key, error)
        if lease.held and not quietly:
            self._tell(news.of_removal(lease, error))
        return not isinstance(error, SILENCE)
