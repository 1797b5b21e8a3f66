"""The leases of a session: asks for each when it is due, renews, moves, gives up, deletes. Loop thread only.

Rules:
- What follows from an outcome is decided by `lease`, by `pairing` where two ports must agree, by `renewal_order` where
  one is to be asked before the other.
- A missing answer says nothing about the gateway: GatewayMonitor is made to check it.
- Every deletion at the gateway goes through MappingClient.
"""

import logging
from collections.abc import Callable
from itertools import count
from math import inf
from typing import TYPE_CHECKING

from portmap.backends.nat import Nat
from portmap.errors import SILENCE, Conflict, NATError, PluginError, PortmapError, Refused
from portmap.events import Event
from portmap.loop import pairing, renewal_order
from portmap.loop.gateway_monitor import GatewayMonitor
from portmap.loop.inbox import Inbox
from portmap.loop.lease import Lease
from portmap.loop.lease_table import LeaseTable
from portmap.loop.mapping_check import MappingCheck
from portmap.loop.mapping_client import Failed, Granted, MappingClient, NoAnswer
from portmap.loop.policy import OnConflict, Policy
from portmap.model import Grant, Key, PortRequest
from portmap.reachability.repair_step import RepairStep

if TYPE_CHECKING:  # a session without a state folder does not import it
    from portmap.storage.journal import JournalEntry
    from portmap.storage.journal_writer import JournalWriter

_log = logging.getLogger("portmap.loop")


class LeaseManager:
    """Every lease of the session."""

    def __init__(
        self,
        nat: Nat,
        inbox: Inbox,
        monitor: GatewayMonitor,
        emit: Callable[[Event], None],
        policy: Policy,
        random: Callable[[], float],
        journal: "JournalWriter | None" = None,
    ) -> None:
        self._nat = nat
        self._client = MappingClient(nat, policy.call_deadline, journal=journal)
        self._inbox = inbox
        self._monitor = monitor
        self._policy = policy
        self._random = random
        self._table = LeaseTable(inbox, emit, random, policy.trouble_level, journal)
        self._check = MappingCheck(self._client, self._table, monitor, inbox, self._ask_in_order, self._suspect_gateway)
        self._open_orders = count(1)
        self._interrupted: Lease | None = None

    @property
    def any_held(self) -> bool:
        """Whether the gateway holds a mapping of ours, or may hold one."""
        return any(lease.held or lease.doubt.may_be_held for lease in self._table)

    @property
    def all_new(self) -> bool:
        """Whether there are leases, and none was ever granted or refused: each is asked for next, in any case."""
        leases = tuple(self._table)
        return bool(leases) and not (self.any_held or any(lease.trouble.failures for lease in leases))

    @property
    def due(self) -> float:
        """When the next lease needs attention."""
        first = self._table.next_due()
        return inf if first is None else first.wake_at

    def inner_port_of(self, key: Key) -> int:
        """The internal port by which the gateway knows this mapping: with `follow` it may be another than the key's."""
        lease = self._table.get(key)
        return key.internal_port if lease is None else lease.target_port

    def add(self, request: PortRequest, earlier: "JournalEntry | None" = None, *, still_held: bool = False) -> None:
        """Keep this port open from now on; what is kept already is left as it is.

        `earlier`: what an earlier session held for it; `still_held`: the gateway may hold that still.
        """
        if request.key in self._table:
            return
        now = self._inbox.now()
        if earlier is None:
            lease = Lease.of(request, now)
        else:
            port = 0 if self._requires_requested_port(request) else earlier.external_port
            client = earlier.client if still_held else None
            lease = Lease.of(request, now, port, earlier.token, earlier.inner_port, client, still_held=still_held)
        partner = self._partner_of(lease)
        self._table.put(pairing.aligned_with(lease, partner) if partner else lease)

    def remove(self, key: Key) -> None:
        """The port is wanted no more. What was never opened is not ours to delete."""
        lease = self._table.get(key)
        if lease is None:
            return
        if (lease.held or lease.doubt.may_be_held) and self._remove(lease, self._policy.call_deadline):
            self._renew_after_delete(lease)
        self._table.remove(key)  # last: a stop during the deleting leaves it to the cleaning up

    def renew_all(self) -> None:
        """The gateway may have forgotten us: ask for everything again."""
        now = self._inbox.now()
        for lease in self._table:
            self._table.put(lease.retry_now(now))

    def repair(self, key: Key, step: RepairStep) -> None:
        """The mapping is held and forwards nothing: take one step that may help. One that is not held is left alone."""
        lease = self._table.get(key)
        if lease is None or not lease.held or lease.static:
            return
        if step is RepairStep.RENEW:
            self._table.put(lease.retry_now(self._inbox.now()))
            return
        port = lease.external_port
        if step is RepairStep.MOVE and not self._requires_requested_port(lease.request):
            port = pairing.fresh_port(self._random())
        if self._client.try_delete(lease):
            self._table.put(lease.move_to(port, lease.target_port))

    def check_one(self) -> bool:
        """Check the mapping that was asked about longest ago; False where none is held."""
        return self._check.run()

    def process_next(self) -> None:
        """Do what the lease that is due needs."""
        if (lease := self._table.next_due()) is None:
            return
        if lease.expired(self._inbox.now()):
            self._table.record_expiry(lease)
        else:
            self._ask_in_order(lease)

    def delete_all(self) -> None:
        """Delete what we hold, and what we may hold, within the policy's time; a silent gateway is asked once."""
        deadline = self._inbox.now() + self._policy.clean_up
        self._settle_interrupted_call()
        answers = True
        for lease in self._table:
            if lease.held or (lease.doubt.may_be_held and self._monitor.was_found):
                answers = self._remove(lease, deadline - self._inbox.now() if answers else 0.0)

    # Asking --------------------------------------------------------------------------------------------------

    def _ask_in_order(self, lease: Lease) -> None:
        """Ask for the lease, or first for the companion that it must wait for."""
        companion = self._table.get(lease.companion)
        if companion and companion.expired(self._inbox.now()):
            companion = self._table.record_expiry(companion)
        self._ask(companion if companion and renewal_order.must_wait_for(lease, companion) else lease)

    def _ask(self, lease: Lease) -> None:
        asked_at = self._inbox.now()
        alone = lease.companion not in self._table
        if alone and lease.suggested_port_is_due(asked_at) and self._client.try_delete(lease):
            lease = lease.back_to_suggested_port(asked_at)
            self._table.put(lease)  # a stop during the call leaves it to the cleaning up
        try:
            lease = self._client.find_host(lease)
        except Refused as refusal:
            self._failed(lease, refusal)
            return
        self._interrupted = lease  # until the call is over: a stop leaves it here
        outcome = self._client.add(lease, exact=self._requires_requested_port(lease.request))
        self._interrupted = None
        match outcome:
            case Granted(grant):
                self._monitor.mapping_answered()
                self._monitor.note_granted_address(
                    grant.external_ip, lease.at_gateway.external_ip if lease.at_gateway else None
                )
                self._granted(lease, grant, asked_at)
            case Failed(error):
                self._monitor.mapping_answered()
                self._failed(lease, error)
            case NoAnswer(error):
                self._unanswered(lease, error)

    def _failed(self, lease: Lease, error: PortmapError) -> None:
        """The gateway refused, or its answer made no sense. If it may have forgotten the mapping, the port is shut."""
        doubted = lease.held and lease.doubt.may_be_gone
        left = self._table.record_loss(lease, str(error)) if doubted else lease
        self._table.record_failure(left, error, unsure=doubted)
        self._table.renew_companion(lease, touched=doubted)

    def _unanswered(self, lease: Lease, error: NATError) -> None:
        """No answer: the gateway may have opened the port all the same."""
        asked = lease if lease.pair.open_order else lease.with_open_order(next(self._open_orders))
        self._table.record_failure(asked, error)
        self._table.postpone_companion(asked, error, others_are_answered=self._monitor.is_reachable)
        self._suspect_gateway(error)

    def _granted(self, before: Lease, grant: Grant, asked_at: float) -> None:
        after = before.granted(grant, self._monitor.address, asked_at, self._random())
        after = after if before.held else after.with_open_order(next(self._open_orders))
        if self._requires_requested_port(after.request) and after.external_port != after.request.suggested_port:
            self._reject_other_port(before, after)
            return
        partner = self._partner_of(after)
        move = pairing.next_move(after, partner, self._random(), pairing.ports_in_use(after, self._table))
        if move and move.key == after.key:
            self._move_before_announcing(before, after, move)
        elif partner and move:
            self._table.record_grant(before, after)
            self._move(partner, move)
        elif partner and pairing.was_moved(after, partner):
            self._open_anew(before, *pairing.settled(after, partner))
        else:
            self._table.record_grant(before, *pairing.settled(after, partner))

    def _reject_other_port(self, before: Lease, after: Lease) -> None:
        """Another port is not good enough: delete it, and tell the conflict."""
        wanted, port = before.request.suggested_port, after.external_port
        why = self._nat.grant_note(after.key) or f"{wanted} is taken: free it, or accept others"
        self._remove(after, self._policy.call_deadline, quietly=True)
        conflict = Conflict(f"{self._nat} gave port {port} instead of {wanted}: {why}")
        self._table.record_failure(self._table.record_loss(before, str(conflict)) if before.held else before, conflict)
        self._table.renew_companion(before)

    # Elsewhere -----------------------------------------------------------------------------------------------

    def _requires_requested_port(self, request: PortRequest) -> bool:
        """Whether only one external port will do."""
        any_port = request.follow and not request.external_port
        return self._policy.on_conflict is OnConflict.FAIL and not any_port

    def _partner_of(self, lease: Lease) -> Lease | None:
        """The other half of a pair, where the two may go elsewhere together."""
        fixed = self._requires_requested_port(lease.request)
        return None if fixed else pairing.partner(lease, self._table.get(lease.companion))

    def _move_before_announcing(self, before: Lease, after: Lease, move: pairing.PortMove) -> None:
        """What was granted will not do: ask for it elsewhere before it is announced."""
        unannounced = before.granted_elsewhere(after)
        self._table.put(unannounced)  # a stop during the deleting leaves it to the cleaning up
        if self._client.try_delete(after):
            self._table.put(unannounced.move_to(move.external_port, move.inner_port))
        else:
            self._table.record_grant(before, after.keep_as_is(self._inbox.now()))

    def _move(self, lease: Lease, move: pairing.PortMove) -> None:
        moved = lease.move_to(move.external_port, move.inner_port)
        self._table.put(moved if self._client.try_delete(lease) else lease.keep_as_is(self._inbox.now()))

    def _open_anew(self, before: Lease, after: Lease, partner: Lease) -> None:
        """Open both from scratch: one was deleted to be moved, which may have shut the other (see `renewal_order`)."""
        unannounced = before.granted_elsewhere(after)
        self._table.put(unannounced)  # a stop during the deleting leaves it to the cleaning up
        deleted = [lease for lease in (unannounced, partner) if self._client.try_delete(lease)]
        if unannounced not in deleted:
            self._table.record_grant(before, after, partner)
        for lease in deleted:
            self._ask(lease.open_anew(next(self._open_orders)))  # before another pair of ours asks for the port

    def _suspect_gateway(self, error: NATError) -> None:
        """Check whether the gateway is lost. If that is known already, the other leases that are due need not try."""
        if not self._monitor.lost:
            self._monitor.check_now()
            return
        for lease in self._table:
            if lease.attempt_at <= self._inbox.now():
                self._table.record_failure(lease, error)

    # Deleting ------------------------------------------------------------------------------------------------

    def _settle_interrupted_call(self) -> None:
        """A stop came during a call: what the gateway still grants is ours, too."""
        if (lease := self._interrupted) is None:
            return
        now = self._inbox.now()
        grant = self._nat.late_grant(self._policy.clean_up / 2)
        failed = lease.failed("interrupted", now, 0.0, unsure=True)
        self._table.put(lease.granted(grant, self._monitor.address, now, 0.0) if grant else failed)

    def _remove(self, lease: Lease, timeout: float, *, quietly: bool = False) -> bool:
        """Delete one mapping and tell it. Returns whether the gateway answered."""
        error: PortmapError | None = None
        try:
            left = self._client.end(lease, timeout)
        except (NATError, PluginError) as failure:
            left, error = "", failure
            _log.warning("%s could not be deleted: %s", lease.key, error)
        if not quietly:
            self._table.record_removal(lease, error, left)
        return not isinstance(error, SILENCE)

    def _renew_after_delete(self, gone: Lease) -> None:
        """Open the younger companion anew: its rule goes with the elder's, and not every renewal makes it again."""
        companion = self._table.get(gone.companion)
        if companion and renewal_order.may_be_shut_by(companion, gone):
            self._client.try_delete(companion)
            self._table.put(companion.ask_again(self._inbox.now()))
