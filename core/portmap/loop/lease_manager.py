"""The keeper of the leases: asks for each when it is due, renews, loses, deletes; owned by the loop.

Law: what follows from an outcome is for `lease` to say, for `pairs` where two ports must agree, for `turns` where one
is asked before the other. No silence of the gateway is judged here: that is for the lookout, which is told to look.
"""

import logging
from collections.abc import Callable
from itertools import count
from math import inf

from portmap.backends.nat import Nat
from portmap.errors import SILENCE, Conflict, NATError, PluginError, PortmapError
from portmap.events import Event
from portmap.loop import pairing, renewal_order
from portmap.loop.gateway_monitor import Lookout
from portmap.loop.inbox import Inbox, Interrupted
from portmap.loop.lease import Lease
from portmap.loop.lease_table import LeaseBook
from portmap.loop.mapping_client import Clerk
from portmap.loop.policy import OnConflict, Policy
from portmap.loop.registrar import Registrar
from portmap.model import Grant, Key, PortRequest

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
        self._policy = policy
        self._random = random
        self._book = LeaseBook()
        self._registrar = Registrar(self._book, inbox, tell, random)
        self._turns = count(1)
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

    def want(self, request: PortRequest, port: int = 0, token: str = "", inner_port: int = 0) -> None:
        """Keep this port open from now on; what is kept already is left as it is.

        The port that it had once is asked for again - unless only one port is good enough. `token`, `inner_port`: what
        it had then, too.
        """
        if request.key in self._book:
            return
        remembered = 0 if self._insists_on(request) else port
        lease = Lease.of(request, self._inbox.now(), remembered, token, inner_port)
        partner = self._partner_of(lease)
        self._book.put(pairing.aligned(lease, partner) if partner else lease)

    def let_go(self, key: Key) -> None:
        """Nobody wants the port any more. What was never opened is not ours to delete."""
        lease = self._book.get(key)
        if lease is None:
            return
        if (lease.held or lease.unsure) and self._remove(lease, self._policy.call_deadline):
            self._renew_younger(lease)
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
            self._registrar.lose(lease, lease.reason or "the lease ran out")
            self._registrar.take_along(lease)
        else:
            companion = self._book.get(lease.companion)
            self._attempt(companion if companion and renewal_order.waits_for(lease, companion) else lease)

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
            grant = self._clerk.ask(lease, exact=self._insists_on(lease.request))
        except Interrupted:
            self._interrupted = lease
            raise
        except SILENCE as error:
            asked = lease if lease.turn else lease.opened_as(next(self._turns))
            self._registrar.refused(asked, error)
            self._registrar.put_off_companion(asked, error, others_are_answered=self._lookout.found)
            self._doubt(error)
        except (NATError, PluginError) as error:
            self._answered()
            doubted = lease.held and lease.doubtful
            left = self._registrar.lose(lease, str(error)) if doubted else lease
            self._registrar.refused(left, error, unsure=doubted)
            self._registrar.take_along(lease, touched=doubted)
        else:
            self._answered()
            self._lookout.learn(grant.external_ip)
            self._granted(lease, grant, asked_at)

    def _granted(self, before: Lease, grant: Grant, asked_at: float) -> None:
        after = before.granted(grant, self._lookout.address, asked_at, self._random())
        after = after if before.held else after.opened_as(next(self._turns))
        if self._insists_on(after.request) and after.external_port != after.request.wish:
            self._give_back(before, after)
            return
        partner = self._partner_of(after)
        move = pairing.next_move(after, partner, self._random(), pairing.busy(after, self._book))
        if move and move.key == after.key:
            self._move_untold(before, after, move)
        elif partner and move:
            self._registrar.granted(before, after)
            self._move(partner, move)
        else:
            self._registrar.granted(before, *pairing.settled(after, partner))

    def _give_back(self, before: Lease, after: Lease) -> None:
        """Another port is not good enough: delete it, and say whose fault it is."""
        wish, port = before.request.wish, after.external_port
        self._remove(after, self._policy.call_deadline, quietly=True)
        conflict = Conflict(f"{self._nat} gave port {port}, for {wish} is taken: free it, or accept others")
        self._registrar.refused(self._registrar.lose(before, str(conflict)) if before.held else before, conflict)
        self._registrar.take_along(before)

    # Elsewhere -----------------------------------------------------------------------------------------------

    def _insists_on(self, request: PortRequest) -> bool:
        """Whether only one external port will do."""
        any_port = request.follow and not request.external_port
        return self._policy.on_conflict is OnConflict.FAIL and not any_port

    def _partner_of(self, lease: Lease) -> Lease | None:
        """The other half of a pair, where the two may go elsewhere together."""
        return None if self._insists_on(lease.request) else pairing.partner(lease, self._book.get(lease.companion))

    def _move_untold(self, before: Lease, after: Lease, move: pairing.Move) -> None:
        """What was granted will not do: have it elsewhere before anybody hears of it."""
        untold = before.untold(after)
        self._book.put(untold)  # a stop during the deleting leaves it to the cleaning up
        if self._clerk.clear(after):
            self._book.put(untold.moved(move.external_port, move.inner_port))
        else:
            self._registrar.granted(before, after.stuck(self._inbox.now()))

    def _move(self, lease: Lease, move: pairing.Move) -> None:
        gone = self._clerk.clear(lease)
        ports = move.external_port, move.inner_port
        self._book.put(lease.moved(*ports) if gone else lease.stuck(self._inbox.now()))

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
                self._registrar.refused(lease, error)

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
        if not quietly:
            self._registrar.removed(lease, error)
        return not isinstance(error, SILENCE)

    def _renew_younger(self, gone: Lease) -> None:
        """With an elder mapping the younger one's rule is deleted, too, and not every renewal makes that anew."""
        companion = self._book.get(gone.companion)
        if companion and renewal_order.suffers(companion, gone):
            self._clerk.clear(companion)
            self._book.put(companion.afresh(self._inbox.now()))
