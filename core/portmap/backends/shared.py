"""SharedNat: a Nat that shares its mappings with the other portmaps of this host.

Rules:
A mapping that another portmap holds, too, is not deleted but left to that portmap.
Nothing else depends on what another portmap says: the gateway alone says whether a port is open.
"""

import logging
import weakref
from collections.abc import Callable
from typing import Any

from portmap.backends.nat import Nat
from portmap.errors import Conflict, NATError, PluginError, Refused
from portmap.gateway_names import gateway_address
from portmap.hookspecs import Alert, Closer
from portmap.host.claims import Claim, OtherHolder, PortClaims
from portmap.model import CALL_DEADLINE, Address, Grant, Key, Protocol

_log = logging.getLogger("portmap.nat")


class SharedNat(Nat):
    """One backend, called safely. What it maps is claimed, so that other portmaps of this host do not delete it."""

    def __init__(
        self,
        backend: Any,
        name: str,
        claims: Callable[[], PortClaims] = PortClaims,
        interface: str | None = None,
    ) -> None:
        super().__init__(backend, name, interface)
        self._claims = claims()
        self._claimed: dict[Key, Claim] = {}
        self._notes: dict[tuple[Protocol, int], str] = {}  # of the last call: the loop makes one at a time
        weakref.finalize(self, self._claims.close)

    def add_mapping(
        self,
        protocol: Protocol,
        external_port: int,
        internal_port: int,
        name: str,
        lifetime: int,
        timeout: float = CALL_DEADLINE,
        token: str = "",
        *,
        exact: bool = False,
        client: Address | None = None,
    ) -> Grant:
        """Open or renew. Raises as `Nat`; a refusal says so where another portmap of this host holds the port."""
        claim = self._claim_of(Key.to_client(protocol, internal_port, client))
        held = self._claimed.get(claim.key)
        other = None
        self.grant_note(claim.key)  # an earlier call's
        if held is None:
            other = self._claim(claim)
            token = other.token if other and other.token else token
            external_port = external_port or (other.external_port if other else 0)
        try:
            grant = super().add_mapping(
                protocol, external_port, internal_port, name, lifetime, timeout, token, exact=exact, client=client
            )
        except (NATError, PluginError) as error:
            if held is None:
                self._claims.remove(claim.key)
            _name_in(error, other)
            raise
        self._keep(claim._replace(gateway=gateway_address(str(self))), grant)
        return grant

    def delete_mapping(
        self,
        protocol: Protocol,
        external_port: int,
        internal_port: int,
        timeout: float = CALL_DEADLINE,
        token: str = "",
        *,
        client: Address | None = None,
    ) -> None:
        """Shut the port, or leave it to another portmap that holds it. Raises NATError or PluginError."""
        asked = self._claim_of(Key.to_client(protocol, internal_port, client))
        held = self._claimed.pop(asked.key, asked)
        self.grant_note(asked.key)  # an earlier call's
        self._claims.remove(asked.key)
        claim = held._replace(external_port=external_port)
        other = self._claims.other_holder(claim)
        try:
            if other is not None and (other.sender.is_trusted or not claim.permanent):
                self._notes[asked.key[:2]] = f"left open for {other}"
                _log.info("%s is left open for %s", asked.key, other)
            else:
                super().delete_mapping(protocol, external_port, internal_port, timeout, token, client=client)
        finally:
            self._claims.tell_released(claim)

    def force_delete(
        self, protocol: Protocol, external_port: int, internal_port: int, timeout: float = CALL_DEADLINE
    ) -> None:
        """As `Nat`, and Conflict where a portmap that runs on this host holds the mapping: it would open it again."""
        other = self.other_holder(Key(protocol, internal_port), external_port)
        if other is not None and other.sender.is_trusted:
            raise Conflict(f"{other} holds it and would open it again: stop that one first")
        super().force_delete(protocol, external_port, internal_port, timeout)

    def other_holder(self, key: Key, external_port: int = 0) -> OtherHolder | None:
        """Another portmap of this host that holds the mapping at this gateway; the key's host is an address."""
        return self._claims.other_holder(self._claim_of(key)._replace(external_port=external_port))

    def release(self, key: Key) -> None:
        """The mapping stays at the gateway, and no other portmap is to leave it to us."""
        claim = self._claimed.pop(key, None)
        self._claims.remove(key)
        if claim is not None:
            self._claims.tell_released(claim)

    def grant_note(self, key: Key) -> str:
        """What the last call found out, also about another portmap that holds the mapping; empty for nothing."""
        return "; ".join(filter(None, (super().grant_note(key), self._notes.pop(key[:2], ""))))

    def watch(self, alert: Alert, on_release: Alert | None = None) -> Closer:
        """Start the backend's watch. Without `on_release`, another portmap that lets go of ours is an alert, too."""
        unwatch = self._claims.watch(on_release or alert)
        try:
            close = super().watch(alert)
        except BaseException:  # a stop, too: without a watch of its own the backend has no session to alert
            unwatch()
            raise

        def close_both() -> None:
            unwatch()
            close()

        return close_both

    def close(self) -> None:
        """Release every claim. What is still mapped is no longer ours to keep."""
        self._claimed.clear()
        self._claims.close()

    def _claim_of(self, key: Key) -> Claim:
        """The claim of a mapping, before it is granted."""
        return Claim(gateway_address(str(self)), key.protocol, key.internal_port, client=key.host)

    def _claim(self, claim: Claim) -> OtherHolder | None:
        """Claim the port before the gateway is asked; who else holds it."""
        if not claim.gateway:
            return None
        self._claims.add(claim)
        other = self._claims.other_holder(claim)
        if other is not None:
            self._notes[claim.key[:2]] = f"{other} holds it, too"
            _log.info("%s is held by %s, too", claim.key, other)
        return other

    def _keep(self, claim: Claim, grant: Grant) -> None:
        if not claim.gateway or grant.static:
            self._claims.remove(claim.key)
            return
        granted = claim._replace(external_port=grant.external_port, token=grant.token, permanent=grant.lifetime == 0)
        if self._claimed.get(claim.key) != granted:
            self._claimed[claim.key] = granted
            self._claims.add(granted)


def _name_in(error: NATError | PluginError, other: OtherHolder | None) -> None:
    """Have a refusal say who holds the port."""
    if other is not None and isinstance(error, Refused):
        error.args = (f"{other} holds the port: {error}", *error.args[1:])
