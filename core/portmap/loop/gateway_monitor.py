"""Checks the gateway: whether it is there, and which external address it tells. Loop thread only.

Only this class decides whether the gateway is reachable. A mapping call that times out or succeeds merely schedules a
check: some gateways answer one kind of request and never the other.
"""

import logging
from collections.abc import Callable

from portmap import errors
from portmap.backends.nat import Nat
from portmap.errors import SILENCE, NATError, NotYet, PluginError, PortmapError, error_kind
from portmap.events import Event, ExternalIPChanged, ExternalIPFailed, GatewayFound, GatewayLost
from portmap.loop.gateway_state import GatewayState
from portmap.loop.inbox import Inbox
from portmap.loop.policy import Policy
from portmap.model import Address, meaning_of, scope_of

_log = logging.getLogger("portmap.loop")


class GatewayMonitor:
    """What the loop knows of its gateway. `emit` is called with each event."""

    def __init__(
        self,
        nat: Nat,
        inbox: Inbox,
        emit: Callable[[Event], None],
        policy: Policy,
        random: Callable[[], float],
    ) -> None:
        self._nat = nat
        self._inbox = inbox
        self._emit = emit
        self._policy = policy
        self._random = random
        self._state = GatewayState(check_due=inbox.now())
        self.was_found = False
        """Whether it has ever answered anything."""

    @property
    def due(self) -> float:
        """When to check next."""
        return self._state.check_due

    @property
    def mapping_next(self) -> bool:
        """Whether the next check is one of a mapping, not of the address."""
        return self._state.mapping_next

    @property
    def address(self) -> Address | None:
        """The address as last told; None before."""
        return self._state.address

    @property
    def lost(self) -> bool:
        """Whether the last check got no answer."""
        return self._state.reachable is False

    @property
    def was_asked(self) -> bool:
        """Whether any check has been made."""
        return self._state.reachable is not None

    @property
    def is_reachable(self) -> bool:
        """Whether the last check was answered."""
        return self._state.reachable is True

    def check_now(self) -> None:
        """Something happened: ask for the address now."""
        self._state = self._state.check_now(self._inbox.now())

    def mapping_check_begins(self) -> None:
        """The mapping's turn is taken; the address is next."""
        self._state = self._state.mapping_checked(self._inbox.now(), self._policy.ip_interval)

    def mapping_answered(self) -> None:
        """A mapping request was answered. That counts as a check; a gateway that was lost may be back."""
        self.was_found = True
        if self.lost:
            self.check_now()
        self._state = self._state.mapping_answered(self._inbox.now(), self._policy.ip_interval)

    def note_granted_address(self, address: Address | None, before: Address | None) -> None:
        """A grant told the address; `before`: what the last grant of the same mapping told, if it was open.

        The first address ever told counts at once. Where the address of one mapping changes, the gateway is asked.
        """
        if address is None:
            return
        if self.address is None:
            self._state = self._state.address_granted(address)
            self._tell_address(address, None)
        elif before is not None and address not in (before, self.address):
            self.check_now()

    def check(self) -> bool:
        """Ask for the address. Returns whether to ask for every mapping again: the gateway is back, or it moved."""
        begun = self._inbox.now()
        interval = self._policy.ip_interval
        try:
            address = self._nat.external_ip(timeout=self._policy.call_deadline)
        except SILENCE as error:
            self._unreachable(error)
            return False
        except PluginError as error:
            self._refused(error, begun)
            return False
        except NotYet as error:
            self._state = self._state.address_refused(str(error), error_kind(error), begun, interval)
            return self._answered(begun)
        except NATError as error:
            back = self._answered(begun)
            self._refused(error, begun)
            return back
        back = self._answered(begun)
        previous = self.address
        self._state = self._state.address_reported(address, begun, interval)
        if address == previous:
            return back
        self._tell_address(address, previous)
        return True

    def _answered(self, begun: float) -> bool:
        """Whether the gateway is back, after it was lost."""
        self.was_found = True
        was = self._state.reachable
        self._state = self._state.answered()
        if was is not True:
            took = round((self._inbox.now() - begun) * 1000)
            self._emit(GatewayFound(gateway=str(self._nat), ms=took, evidence=self._nat.evidence()))
        return was is False

    def _tell_address(self, address: Address, previous: Address | None) -> None:
        scope = scope_of(address)
        self._emit(ExternalIPChanged(external_ip=address, previous_ip=previous, scope=scope, reason=meaning_of(scope)))

    def _refused(self, error: PortmapError, begun: float) -> None:
        reason, kind = str(error), error_kind(error)
        known = self._state.failure_kind == kind
        self._state = self._state.address_refused(reason, kind, begun, self._policy.ip_interval)
        if known:
            _log.debug("%s still tells no external address: %s", self._nat, reason)
            return
        _log.log(self._policy.trouble_level, "%s tells no external address: %s", self._nat, reason)
        scope = scope_of(self.address)
        self._emit(
            ExternalIPFailed(external_ip=self.address, scope=scope, reason=reason, error=errors.error_name(error))
        )

    def _unreachable(self, error: NATError) -> None:
        reason, name, now, was_lost = str(error), errors.error_name(error), self._inbox.now(), self.lost
        self._state = self._state.unreachable(reason, now, self._random(), self._policy.ip_interval)
        if was_lost:
            _log.debug("%s is still lost: %s", self._nat, reason)
            return
        _log.log(self._policy.trouble_level, "%s is lost: %s", self._nat, reason)
        retry_in = round(self.due - now, 1)
        self._emit(GatewayLost(gateway=str(self._nat), reason=reason, error=name, retry_in=retry_in))
