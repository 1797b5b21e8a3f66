"""The core loop: keeps what was asked for mapped, through one gateway.

It reads like this sentence: sleep until the earliest deadline or a message; take the message, or do the one thing that
is due - ask for everything again, look at the gateway, attend to a lease, sweep up a leftover; on the way out delete
what we hold.

Law: one thread owns all state here. Decisions are made by the pure values of `lease`, `presence` and `calm`; time,
randomness, the gateway and the listener are handed in. No lock is held during I/O. The loop knows no node, no file and
no screen.
"""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from math import inf
from random import random

from portmap.backends.nat import Nat
from portmap.errors import NATError, PluginError
from portmap.events import Event, GatewayRebooted, Listener, NetworkChanged
from portmap.hookspecs import Closer
from portmap.loop.debounce import Debounce
from portmap.loop.gateway_monitor import GatewayMonitor
from portmap.loop.inbox import GatewayAlert, Inbox, Interrupted, Message, NetworkAlert, Register, Stop, Unregister
from portmap.loop.lease_manager import LeaseManager
from portmap.loop.leftovers import LeftoverCleaner
from portmap.loop.policy import Policy
from portmap.model import Key
from portmap.storage.journal import Journal

_log = logging.getLogger("portmap.loop")


class Loop:
    """Keeps every registered port mapped until it is told to stop.

    `journal`: what an earlier session has left; `swept` is told which of that is gone.
    """

    def __init__(
        self,
        nat: Nat,
        inbox: Inbox,
        listener: Listener,
        policy: Policy | None = None,
        journal: Journal | None = None,
        swept: Callable[[Key], None] | None = None,
        random: Callable[[], float] = random,
    ) -> None:
        policy = policy or Policy()
        self._nat = nat
        self._inbox = inbox
        self._listener = listener
        self._deadline = policy.call_deadline
        self._journal = journal or Journal()
        self._lookout = GatewayMonitor(nat, inbox, self._emit, policy, random)
        self._keeper = LeaseManager(nat, inbox, self._lookout, self._emit, policy, random)
        self._sweeper = LeftoverCleaner(nat, self._journal, time.time(), swept or _nothing)
        self._calm = Debounce()

    def token_of(self, key: Key) -> str:
        """What the backend wants back with this mapping; empty for nothing."""
        return self._keeper.token_of(key)

    def inner_port_of(self, key: Key) -> int:
        """The internal port by which the gateway knows this mapping."""
        return self._keeper.inner_port_of(key)

    def run(self) -> None:
        """Run until a Stop is read; then clean up and return."""
        self._nat.wait = self._inbox.wait
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
                pass  # too late for these; a stop left there would interrupt the deleting
            for last in (self._keeper.delete_all, self._listener.on_settled, unwatch):
                with suppress(Interrupted):  # a second stop gives up what is under way
                    last()

    def _watch(self) -> Closer:
        try:
            return self._nat.watch(lambda reason: self._inbox.put(GatewayAlert(reason)))
        except (NATError, PluginError) as error:
            _log.warning("%s cannot watch its gateway: %s", self._nat.name, error)
            return _nothing

    def _next_message(self) -> Message | None:
        """The next message, None when something is due; before sleeping, what was told so far is settled."""
        message = self._inbox.next(-inf)
        if message is None and (wake_at := self._wake_at()) > self._inbox.now():
            self._listener.on_settled()
            message = self._inbox.next(wake_at)
        return message

    def _wake_at(self) -> float:
        return min(self._calm.due, self._lookout.due, self._keeper.due, self._sweep_due)

    def _handle(self, message: Message) -> None:
        match message:
            case Register(request):
                key, journal = request.key, self._journal
                self._keeper.add(request, journal.port_of(key), journal.token_of(key), journal.inner_port_of(key))
                self._sweeper.claim(key, self._keeper.inner_port_of(key))
            case Unregister(key):
                self._keeper.remove(key)
            case GatewayAlert(reason) if not self._calm.pending:
                self._emit(GatewayRebooted(gateway=str(self._nat), reason=reason))
                self._calm = self._calm.signalled()
            case NetworkAlert(reason) if not self._calm.pending:
                self._emit(NetworkChanged(reason=reason))
                self._calm = self._calm.signalled()
            case _:
                _log.debug("nothing more to do for %s", message)

    def _run_next_due(self) -> None:
        now = self._inbox.now()
        if now >= self._calm.due:
            self._calm = self._calm.done(now)
            self._lookout.check_now()
            self._keeper.renew_all()
        elif now >= self._lookout.due:
            if self._lookout.check():
                self._keeper.renew_all()
        elif now >= self._keeper.due:
            self._keeper.process_next()
        elif now >= self._sweep_due:
            self._sweep()

    @property
    def _sweep_due(self) -> float:
        return self._sweeper.due if self._lookout.is_reachable else inf

    def _sweep(self) -> None:
        try:
            self._sweeper.delete_one(self._deadline)
        except NATError as error:
            _log.debug("no sweeping now: %s", error)
            self._sweeper.back_off(self._inbox.now())
            self._lookout.check_now()

    def _emit(self, event: Event) -> None:
        _log.debug("%s", event)
        self._listener.on_event(event)


def _nothing(*_: object) -> None:
    """Closes a watch that could not be started; is told what nobody wants to know."""
