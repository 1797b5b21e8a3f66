"""Checks one mapping at the gateway, and says what is wrong where it is gone. Loop thread only.

Rules:
- It is read back where the backend can do that, else asked for again.
- Where only the checked mapping is gone, it is opened again at once. If that closes another of our mappings, the
  gateway holds one mapping per host (tinynatpmpd): the other one is lost, and is not tried again for an hour. A restart
  of the gateway would have closed both.
- Anything else that is gone is a GatewayAlert: everything is asked for again.
"""

from collections.abc import Callable, Iterable

from portmap.errors import SILENCE, NATError, OutOfResources
from portmap.loop.gateway_monitor import GatewayMonitor
from portmap.loop.inbox import GatewayAlert, Inbox
from portmap.loop.lease import MAX_RETRY_AFTER, Lease
from portmap.loop.lease_table import LeaseTable
from portmap.loop.mapping_client import MappingClient


class MappingCheck:
    """Checks the leases of `table` in turn. `ask` asks for one; `no_answer` is called where the gateway is silent."""

    def __init__(
        self,
        client: MappingClient,
        table: LeaseTable,
        monitor: GatewayMonitor,
        inbox: Inbox,
        ask: Callable[[Lease], None],
        no_answer: Callable[[NATError], None],
    ) -> None:
        self._client = client
        self._table = table
        self._monitor = monitor
        self._inbox = inbox
        self._ask = ask
        self._no_answer = no_answer

    def run(self) -> bool:
        """Check the mapping that was asked about longest ago; False where none is held.

        One whose lease ran out is held no longer, also where that was not told yet: the process may have been frozen.
        """
        now = self._inbox.now()
        held = [lease for lease in self._table if lease.held and not (lease.static or lease.expired(now))]
        if not held:
            return False
        self._monitor.mapping_check_begins()
        lease = min(held, key=lambda lease: lease.checked_at)
        try:
            there = self._client.is_there(lease)
        except SILENCE as error:
            self._no_answer(error)
            return True
        if there is None:
            self._ask(lease)
            return True
        self._monitor.mapping_answered()
        self._table.put(lease.seen(self._inbox.now()))
        if not there:
            self._reopen(lease, (each for each in held if each.key != lease.key))
        return True

    def _reopen(self, missing: Lease, others: Iterable[Lease]) -> None:
        """The gateway no longer lists this one."""
        last = max(others, key=lambda each: (each.checked_at, each.pair.open_order), default=None)
        if last and self._is_listed(last):
            self._ask(missing)
            if self._is_listed(missing) and not self._is_listed(last):
                self._record_replaced(last, missing)
                return
        reason = f"{self._client} no longer lists {missing.key}"
        self._inbox.put(GatewayAlert(reason, certain=True))

    def _is_listed(self, lease: Lease) -> bool:
        """Whether we hold it and the gateway lists it; no where it gives no answer."""
        current = self._table.get(lease.key)
        try:
            return current is not None and current.held and self._client.is_there(current) is True
        except SILENCE as error:
            self._no_answer(error)
            return False

    def _record_replaced(self, lease: Lease, by: Lease) -> None:
        """The lease is lost, for the gateway put the other one in its place."""
        current = self._table.get(lease.key) or lease
        reason = f"{by.key} replaced it: {self._client} seems to hold one mapping per host"
        error = OutOfResources(f"{reason}; close that one to have this one", retry_after=MAX_RETRY_AFTER)
        self._table.record_failure(self._table.record_loss(current, reason), error)
