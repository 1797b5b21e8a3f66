"""The core loop: keeps ports mapped through one gateway. Loop thread only.

Sleep until the earliest deadline or a message. Take the message, or do the one thing that is due: ask for everything
again, check the gateway, attend to a lease, delete a leftover. At the end delete everything held.

Rules:
- Decisions are made by the pure values of `lease`, `gateway_state` and `debounce`.
- Time, randomness, the gateway and the listener are handed in. No lock is held during I/O.
- The loop knows no node, no file and no screen.
"""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from math import inf
from random import random
from typing import TYPE_CHECKING

from portmap.backends.nat import Nat
from portmap.errors import NATError, PluginError
from portmap.events import (
    Event,
    ExternalIPChanged,
    GatewayFound,
    GatewayRebooted,
    Listener,
    NetworkChanged,
    PortAdded,
    PortChanged,
    PortLost,
)
from portmap.hookspecs import Closer
from portmap.loop.debounce import Debounce
from portmap.loop.gateway_monitor import GatewayMonitor
from portmap.loop.inbox import (
    GatewayAlert,
    Inbox,
    Interrupted,
    Message,
    NetworkAlert,
    Recheck,
    Register,
    Repair,
    Stop,
    Unregister,
)
from portmap.loop.lease_manager import LeaseManager
from portmap.loop.leftovers import LeftoverCleaner
from portmap.loop.policy import Policy

if TYPE_CHECKING:  # a session without a state folder does not import it
    from portmap.storage.journal_writer import JournalWriter

_CHANGES = (GatewayFound, ExternalIPChanged, PortAdded, PortChanged, PortLost)
_log = logging.getLogger("portmap.loop")


class Loop:
    """Keeps every registered port mapped until it is told to stop.

    `journal` says what an earlier session left, and notes what this one holds.
    """

    def __init__(
        self,
        nat: Nat,
        inbox: Inbox,
        listener: Listener,
        policy: Policy | None = None,
        journal: "JournalWriter | None" = None,
        random: Callable[[], float] = random,
    ) -> None:
        policy = policy or Policy()
        self._nat = nat
        self._inbox = inbox
        self._listener = listener
        self._deadline = policy.call_deadline
        self._trouble_level = policy.trouble_level
        self._journal = journal
        self._debounce = Debounce()
        self._monitor = GatewayMonitor(nat, inbox, self._emit, policy, random)
        self._leases = LeaseManager(nat, inbox, self._monitor, self._emit, policy, random, journal)
        self._started = time.time()
        self._leftovers = LeftoverCleaner(nat, journal, self._started)
        self._found = False
        self._hint_is_due = False

    def run(self) -> None:
        """Run until a Stop is read; then clean up and return."""
        with self._nat.waiting_with(self._inbox.wait):
            self._run()

    def _run(self) -> None:
        unwatch: Closer = _nothing
        try:
            unwatch = self._watch()
            while not isinstance(message := self._next_message(), Stop):
                if message is not None:
                    self._handle(message)
                else:
                    self._run_next_due()
        except Interrupted:
            _log.debug("stopped during a call to %s", self._nat)
        finally:
            while self._inbox.next(-inf) is not None:
                pass  # too late for these; a second Stop left here would interrupt the deleting
            for last in (self._leases.delete_all, self._settle, unwatch):
                with suppress(Interrupted):  # another Stop gives up what is under way
                    last()

    def _watch(self) -> Closer:
        try:
            return self._nat.watch(
                lambda reason: self._inbox.put(GatewayAlert(reason)), lambda reason: self._inbox.put(Recheck(reason))
            )
        except (NATError, PluginError) as error:
            _log.log(self._trouble_level, "%s cannot watch its gateway: %s", self._nat.name, error)
            return _nothing

    def _next_message(self) -> Message | None:
        due = min(self._debounce.due, self._monitor.due, self._leases.due, self._leftovers_due)
        return self._inbox.next_or_settle(due, self._settle)

    def _settle(self) -> None:
        """All is quiet: write the journal, and let the listener know."""
        self._note_hint()
        if self._journal is not None:
            self._journal.save()
        self._listener.on_settled()

    def _note_hint(self) -> None:
        if self._journal is not None and self._hint_is_due:
            self._journal.gateway_may_have_moved()
        self._hint_is_due = False

    # Messages ------------------------------------------------------------------------------------------------

    def _handle(self, message: Message) -> None:
        match message:
            case Register(request):
                known = (None, False) if self._journal is None else self._journal.earlier(request.key, self._started)
                self._leases.add(request, known[0], still_held=known[1])
                self._leftovers.claim(request.key, self._leases.inner_port_of(request.key))
            case Unregister(key):
                self._leases.remove(key)
            case GatewayAlert(reason) if self._is_at_the_beginning:
                _log.debug("%s: all is asked for the first time now", reason)
            case GatewayAlert(reason, certain):
                rebooted = GatewayRebooted(gateway=str(self._nat), reason=reason)
                self._ask_again_soon(rebooted if self._leases.any_held else None, certain=certain)
            case NetworkAlert(reason, certain):
                self._ask_again_soon(NetworkChanged(reason=reason), certain=certain)
            case Recheck(reason):
                _log.info("all is asked for again: %s", reason)
                self._ask_again_soon(None, certain=True)
            case Repair(key, step):
                self._leases.repair(key, step)
            case Stop():
                pass  # read by `run`

    @property
    def _is_at_the_beginning(self) -> bool:
        """Whether all is asked for next in any case: another round would keep the next one waiting."""
        return not self._monitor.was_asked or (self._monitor.is_reachable and self._leases.all_new)

    def _ask_again_soon(self, event: Event | None, *, certain: bool = False) -> None:
        """Ask for everything again as soon as the debounce allows; tell the event, unless that was planned before."""
        before = self._debounce
        self._debounce = before.signalled(self._inbox.now(), certain=certain)
        if event is not None and self._debounce.due < before.due:
            self._emit(event)

    # What is due ---------------------------------------------------------------------------------------------

    def _run_next_due(self) -> None:
        now = self._inbox.now()
        if now >= self._debounce.due:
            self._debounce = self._debounce.done(now)
            self._monitor.check_now()
            self._leases.renew_all()
        elif now >= self._monitor.due:
            self._check_gateway()
        elif now >= self._leases.due:
            self._leases.process_next()
        elif now >= self._leftovers_due:
            self._delete_leftover()

    def _check_gateway(self) -> None:
        """Check the address, or a mapping in its turn."""
        if self._monitor.mapping_next and self._leases.check_one():
            return
        ask_again = self._monitor.check()
        self._note_hint()  # a mapping that is granted next goes to the journal with it
        if ask_again:
            self._leases.renew_all()

    @property
    def _leftovers_due(self) -> float:
        return self._leftovers.due if self._monitor.is_reachable else inf

    def _delete_leftover(self) -> None:
        try:
            self._leftovers.delete_one(self._deadline)
        except NATError as error:
            _log.debug("leftovers cannot be deleted now: %s", error)
            self._leftovers.back_off(self._inbox.now())
            self._monitor.check_now()

    def _emit(self, event: Event) -> None:
        _log.debug("%s", event)
        if isinstance(event, _CHANGES):
            self._debounce = self._debounce.changed()
        self._found = self._found or isinstance(event, GatewayFound)
        self._hint_is_due = self._found
        self._listener.on_event(event)


def _nothing(*_: object) -> None:
    """Does nothing: closes a watch that could not be started."""
