"""The core loop: keeps what was asked for mapped, through one gateway.

It reads like this sentence: sleep until the earliest deadline or a message; take the message, or do the one thing that
is due - declare a lapsed lease lost, check the external address, attempt a lease; on the way out delete what we hold.

Law: one thread owns all state here. Decisions are made by the pure values of `lease` and `presence`; time, randomness,
the gateway and the listener are handed in. No lock is held during I/O. The loop knows no node, no file and no screen.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from random import random
from typing import Protocol

from portmap import news
from portmap.errors import GatewayTimeout, NATError, NoGateway, PluginError, PortmapError
from portmap.events import Event, ExternalIPChanged, ExternalIPFailed, GatewayFound, GatewayLost, GatewayRebooted
from portmap.hookspecs import Closer
from portmap.inbox import Alert, Inbox, Interrupted, Message, Register, Stop, Unregister
from portmap.lease import Lease
from portmap.model import Address, Grant, Key, scope_of
from portmap.nat import CALL_DEADLINE, Nat
from portmap.presence import Presence

_log = logging.getLogger("portmap.loop")
_SILENCE = (NoGateway, GatewayTimeout)


class Listener(Protocol):
    """Who is told what the loop does; called in the loop's thread, so it must not block."""

    def on_event(self, event: Event) -> None:
        """Something happened."""

    def on_settled(self) -> None:
        """For now there is nothing more to do: what was told so far belongs together."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How the loop behaves; all in seconds. `clean_up` bounds the deleting of everything held, in all."""

    ip_interval: float = 60.0
    call_deadline: float = CALL_DEADLINE
    clean_up: float = 2.5


class Loop:
    """Keeps every registered port mapped until it is told to stop."""

    def __init__(
        self,
        nat: Nat,
        inbox: Inbox,
        listener: Listener,
        policy: Policy | None = None,
        random: Callable[[], float] = random,
    ) -> None:
        self._nat = nat
        self._inbox = inbox
        self._listener = listener
        self._policy = policy or Policy()
        self._random = random
        self._leases: dict[Key, Lease] = {}
        self._presence = Presence(check_due=inbox.now())
        self._interrupted: Lease | None = None

    def run(self) -> None:
        """Run until a Stop is read; then clean up and return."""
        self._nat.wait = self._inbox.wait
        unwatch = _nothing
        try:
            unwatch = self._watch()
            while not isinstance(message := self._next_message(), Stop):
                if message is not None:
                    self._take(message)
                else:
                    self._do_what_is_due()
        except Interrupted:
            _log.debug("stopped during a call to %s", self._nat)
        finally:
            self._clean_up()
            self._listener.on_settled()
            unwatch()

    def _watch(self) -> Closer:
        try:
            return self._nat.watch(lambda reason: self._inbox.put(Alert(reason)))
        except (NATError, PluginError) as error:
            _log.warning("%s cannot watch its gateway: %s", self._nat.name, error)
            return _nothing

    def _next_message(self) -> Message | None:
        wake_at = self._wake_at()
        if wake_at > self._inbox.now():
            self._listener.on_settled()
        return self._inbox.next(wake_at)

    def _wake_at(self) -> float:
        return min(self._presence.check_due, min((lease.wake_at for lease in self._leases.values()), default=inf))

    def _take(self, message: Message) -> None:
        match message:
            case Register(request) if request.key not in self._leases:
                self._leases[request.key] = Lease.of(request, self._inbox.now())
            case Unregister(key) if key in self._leases:
                self._remove(self._leases.pop(key), self._policy.call_deadline)
            case Alert(reason):
                self._tell(GatewayRebooted(gateway=str(self._nat), reason=reason))
                self._everything_at_once()
            case _:
                _log.debug("nothing to do for %s", message)

    def _do_what_is_due(self) -> None:
        now = self._inbox.now()
        due = min(self._leases.values(), key=lambda lease: lease.wake_at, default=None)
        try:
            if now >= self._presence.check_due:
                self._check_address()
            elif due is not None and due.lapsed(now):
                self._lose(due)
            elif due is not None and now >= due.due:
                self._attempt(due)
        except _SILENCE as error:
            self._gateway_silent(error)

    # The external address ------------------------------------------------------------------------------------

    def _check_address(self) -> None:
        next_check = self._inbox.now() + self._policy.ip_interval
        try:
            address = self._nat.external_ip(timeout=self._policy.call_deadline)
        except _SILENCE:
            raise
        except (NATError, PluginError) as error:
            self._gateway_answered()
            self._address_declined(error, next_check)
        else:
            self._gateway_answered()
            self._address_stated(address, next_check)

    def _address_stated(self, address: Address, next_check: float) -> None:
        previous = self._presence.address
        self._presence = self._presence.stated(address, next_check)
        if address != previous:
            self._tell(ExternalIPChanged(external_ip=address, previous_ip=previous, scope=scope_of(address)))
        if previous is not None and address != previous:
            self._leases_at_once()

    def _address_declined(self, error: PortmapError, next_check: float) -> None:
        known = self._presence.reason == str(error)
        self._presence = self._presence.declined(str(error), next_check)
        if not known:
            _log.warning("%s states no external address: %s", self._nat, error)
            address = self._presence.address
            self._tell(
                ExternalIPFailed(
                    external_ip=address, scope=scope_of(address), reason=str(error), error=news.error_name(error)
                )
            )

    # The gateway ---------------------------------------------------------------------------------------------

    def _gateway_answered(self) -> None:
        was = self._presence.answers
        self._presence = self._presence.answered()
        if was is not True:
            self._tell(GatewayFound(gateway=str(self._nat)))
        if was is False:
            self._everything_at_once()

    def _gateway_silent(self, error: NATError) -> None:
        now = self._inbox.now()
        if self._presence.answers is not False:
            _log.warning("%s: %s", self._nat, error)
            self._tell(GatewayLost(gateway=str(self._nat), reason=str(error), error=news.error_name(error)))
        self._presence = self._presence.silent(str(error), now, self._random(), self._policy.ip_interval)
        for lease in list(self._leases.values()):
            if lease.due <= now:
                self._refused(lease, error)

    def _everything_at_once(self) -> None:
        self._presence = self._presence.at_once(self._inbox.now())
        self._leases_at_once()

    def _leases_at_once(self) -> None:
        now = self._inbox.now()
        self._leases = {key: lease.at_once(now) for key, lease in self._leases.items()}

    # The leases ----------------------------------------------------------------------------------------------

    def _attempt(self, lease: Lease) -> None:
        asked_at = self._inbox.now()
        request = lease.request
        try:
            grant = self._nat.add_mapping(
                request.protocol,
                lease.wanted_port,
                request.internal_port,
                request.name,
                request.lifetime,
                timeout=self._policy.call_deadline,
            )
        except Interrupted:
            self._interrupted = lease
            raise
        except _SILENCE as error:
            self._refused(lease, error, unsure=isinstance(error, GatewayTimeout))
            raise
        except (NATError, PluginError) as error:
            self._gateway_answered()
            self._refused(lease, error)
        else:
            self._gateway_answered()
            self._granted(lease, grant, asked_at)

    def _granted(self, before: Lease, grant: Grant, asked_at: float) -> None:
        after = before.granted(grant, self._presence.address, asked_at, self._random())
        self._leases[after.key] = after
        self._tell(news.of_grant(before, after))

    def _refused(self, lease: Lease, error: PortmapError, *, unsure: bool = False) -> None:
        reason = str(error)
        self._leases[lease.key] = lease.failed(reason, self._inbox.now(), self._random(), unsure=unsure)
        if reason == lease.reason:
            _log.debug("%s %d is still not mapped: %s", *lease.key, reason)
            return
        _log.warning("%s %d is not mapped: %s", *lease.key, reason)
        self._tell(news.of_failure(lease, error))

    def _lose(self, lease: Lease) -> None:
        _log.warning("%s %d is lost: its lease ran out", *lease.key)
        self._leases[lease.key] = lease.lost()
        self._tell(news.of_loss(lease))

    # The way out ---------------------------------------------------------------------------------------------

    def _clean_up(self) -> None:
        """Delete what we hold, and what we may hold, within the policy's time; a silent gateway is asked once."""
        deadline = self._inbox.now() + self._policy.clean_up
        while self._inbox.next(-inf) is not None:
            pass  # too late for these; a stop left there would interrupt the deleting
        self._finish_attempt()
        answers = True
        for lease in self._leases.values():
            if lease.held or (lease.unsure and self._presence.address is not None):
                answers = self._remove(lease, deadline - self._inbox.now() if answers else 0.0)

    def _finish_attempt(self) -> None:
        """A stop came during an attempt: what it still comes to is ours, too."""
        lease = self._interrupted
        if lease is None:
            return
        now = self._inbox.now()
        grant = self._nat.interrupted_grant(self._policy.clean_up / 2)
        self._leases[lease.key] = (
            lease.granted(grant, self._presence.address, now, 0.0)
            if grant
            else lease.failed("interrupted", now, 0.0, unsure=True)
        )

    def _remove(self, lease: Lease, timeout: float) -> bool:
        """Delete one mapping and tell; the answer is whether the gateway answers."""
        error: PortmapError | None = None
        try:
            self._delete(lease, timeout)
        except (NATError, PluginError) as failure:
            error = failure
            _log.warning("%s %d could not be deleted: %s", *lease.key, error)
        if lease.held:
            self._tell(news.of_removal(lease, error))
        return not isinstance(error, _SILENCE)

    def _delete(self, lease: Lease, timeout: float) -> None:
        if timeout <= 0:
            raise GatewayTimeout(f"{self._nat} left no time for it")
        request = lease.request
        port = lease.external_port or lease.wanted_port or request.internal_port
        self._nat.delete_mapping(request.protocol, port, request.internal_port, timeout=timeout)

    def _tell(self, event: Event) -> None:
        _log.debug("%s", event)
        self._listener.on_event(event)


def _nothing() -> None:
    """The closer of a watch that could not be started."""
