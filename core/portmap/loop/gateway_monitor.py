"""The look at the gateway: whether it is there, and which external address it states.

Law: this alone judges whether the gateway is there. Whatever else works, or falls silent, only has it look at once. So
a gateway that answers one kind of question and never the other is neither given up nor announced over and over.
"""

import logging
from collections.abc import Callable

from portmap import errors
from portmap.backends.nat import Nat
from portmap.errors import SILENCE, NATError, NotYet, PluginError, PortmapError
from portmap.events import Event, ExternalIPChanged, ExternalIPFailed, GatewayFound, GatewayLost
from portmap.loop.gateway_state import GatewayState
from portmap.loop.inbox import Inbox
from portmap.loop.policy import Policy
from portmap.model import Address, meaning_of, scope_of

_log = logging.getLogger("portmap.loop")


class GatewayMonitor:
    """Owned by the loop, which lends it what it has."""

    def __init__(
        self,
        nat: Nat,
        inbox: Inbox,
        tell: Callable[[Event], None],
        policy: Policy,
        random: Callable[[], float],
    ) -> None:
        self._nat = nat
        self._inbox = inbox
        self._tell = tell
        self._policy = policy
        self._random = random
        self._presence = GatewayState(check_due=inbox.now())

    @property
    def due(self) -> float:
        """When to look next."""
        return self._presence.check_due

    @property
    def address(self) -> Address | None:
        """The address as last stated; None before."""
        return self._presence.address

    @property
    def lost(self) -> bool:
        """Whether the last look met with silence."""
        return self._presence.reachable is False

    @property
    def is_reachable(self) -> bool:
        """Whether the last look was answered."""
        return self._presence.reachable is True

    def check_now(self) -> None:
        """Something happened: look now."""
        self._presence = self._presence.check_now(self._inbox.now())

    def note_granted_address(self, address: Address | None) -> None:
        """A grant stated the address. It counts where none is known; that it is another one, a look will tell."""
        if address is not None and self.address is None:
            self._stated(address, self._presence.check_due)

    def check(self) -> bool:
        """Ask for the address. Whether every mapping is to be asked for again: the gateway is back, or it moved."""
        begun = self._inbox.now()
        due = begun + self._policy.ip_interval
        try:
            address = self._nat.external_ip(timeout=self._policy.call_deadline)
        except SILENCE as error:
            self._silent(error)
            return False
        except PluginError as error:
            self._declined(error, due)
            return False
        except NotYet as error:
            self._presence = self._presence.address_refused(str(error), due)
            return self._answered(begun)
        except NATError as error:
            back = self._answered(begun)
            self._declined(error, due)
            return back
        back = self._answered(begun)
        return self._stated(address, due) or back

    def _answered(self, begun: float) -> bool:
        was = self._presence.reachable
        self._presence = self._presence.answered()
        if was is not True:
            took = round((self._inbox.now() - begun) * 1000)
            self._tell(GatewayFound(gateway=str(self._nat), ms=took, evidence=self._nat.evidence()))
        return was is False

    def _stated(self, address: Address, due: float) -> bool:
        previous = self._presence.address
        self._presence = self._presence.address_reported(address, due)
        if address == previous:
            return False
        scope = scope_of(address)
        self._tell(ExternalIPChanged(external_ip=address, previous_ip=previous, scope=scope, reason=meaning_of(scope)))
        return True

    def _declined(self, error: PortmapError, due: float) -> None:
        reason, kind = str(error), errors.error_kind(error)
        known = self._presence.failure_kind == kind
        self._presence = self._presence.address_refused(reason, due, kind)
        if known:
            _log.debug("%s still states no external address: %s", self._nat, reason)
            return
        _log.warning("%s states no external address: %s", self._nat, reason)
        scope = scope_of(self.address)
        self._tell(
            ExternalIPFailed(external_ip=self.address, scope=scope, reason=reason, error=errors.error_name(error))
        )

    def _silent(self, error: NATError) -> None:
        reason = str(error)
        if self.lost:
            _log.debug("%s is still lost: %s", self._nat, reason)
        else:
            _log.warning("%s is lost: %s", self._nat, reason)
            self._tell(GatewayLost(gateway=str(self._nat), reason=reason, error=errors.error_name(error)))
        now = self._inbox.now()
        self._presence = self._presence.unreachable(reason, now, self._random(), self._policy.ip_interval)
