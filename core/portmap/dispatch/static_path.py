"""The path of a backend with Kind.STATIC: tells the external address, takes ports as forwarded by hand, opens nothing.

What an address is worth depends on its source. Where the ports are reachable as they are, the user told the address:
it enters the record, with `allow_private`
whatever its scope. A backend with `opens_ports` False only learns the address: it counts like one
told by a gateway, and every request fails.

Rules: one thread owns the state, reads one inbox and ends at a Stop. An error never changes the address.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from random import random

from portmap import errors
from portmap.backends.nat import Nat
from portmap.errors import NATError, NoPublicAddress, PluginError, PortmapError, Refused, error_kind
from portmap.events import ExternalIPChanged, ExternalIPFailed, Listener, PortAdded, PortChanged, PortRemoved
from portmap.loop import lease_events
from portmap.loop.gateway_state import GatewayState
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
from portmap.loop.lease import Lease
from portmap.loop.policy import Policy
from portmap.model import Address, Grant, Key, Mapping, PortRequest, Scope, meaning_of, scope_of
from portmap.node.local_node import LocalNode

_log = logging.getLogger("portmap.dispatch")


class StaticPath:
    """Announces ports that are reachable as they are, and at which address."""

    def __init__(
        self,
        nat: Nat,
        inbox: Inbox,
        node: LocalNode,
        listener: Listener,
        policy: Policy | None = None,
        random: Callable[[], float] = random,
    ) -> None:
        self._nat = nat
        self._inbox = inbox
        self._node = node
        self._listener = listener
        self._policy = policy or Policy()
        self._random = random
        self._state = GatewayState(check_due=inbox.now())
        self._requests: dict[Key, PortRequest] = {}
        self._mappings: dict[Key, Mapping] = {}
        self._failure_kind = ""
        self._failures: dict[Key, str] = {}

    def run(self) -> None:
        """Run until a Stop is read."""
        with self._nat.waiting_with(self._inbox.wait):
            self._run()

    def _run(self) -> None:
        try:
            while not isinstance(message := self._next_message(), Stop):
                self._handle(message)
        except Interrupted:
            _log.debug("stopped during a call to %s", self._nat)
        for key in list(self._mappings):
            self._remove(key)
        self._listener.on_settled()

    def _next_message(self) -> Message | None:
        """The next message, None when it is time to check the address."""
        return self._inbox.next_or_settle(self._state.check_due, self._listener.on_settled)

    def _handle(self, message: Message | None) -> None:
        match message:
            case Register(request):
                self._requests[request.key] = request
                self._announce(request)
            case Unregister(key):
                self._remove(key)
            case GatewayAlert() | NetworkAlert() | Recheck() | Repair():
                self._state = self._state.check_now(self._inbox.now())
            case _:
                self._check_address()

    # The address ---------------------------------------------------------------------------------------------

    def _check_address(self) -> None:
        now = self._inbox.now()
        try:
            address = self._reachable(self._nat.external_ip(timeout=self._policy.call_deadline))
        except (NATError, PluginError) as error:
            self._no_address(error)
        else:
            self._address_reported(address, now)
        for request in self._requests.values():
            if request.key not in self._mappings:
                self._announce(request)

    def _reachable(self, address: Address) -> Address:
        """The address. Raises NoPublicAddress where it is not reachable from outside and not allowed."""
        scope = scope_of(address)
        if not self._nat.opens_ports or scope is Scope.PUBLIC or self._policy.allow_private:
            return address
        meaning = f"{self._nat} is not public: {meaning_of(scope)}"
        raise NoPublicAddress(f"{meaning}; use --allow-private to announce it anyway", external_ip=address)

    def _address_reported(self, address: Address, now: float) -> None:
        previous, self._failure_kind = self._state.address, ""
        self._state = self._state.answered().address_reported(address, now, self._policy.ip_interval)
        if address == previous:
            return
        if self._nat.opens_ports:
            self._set_record_address(address, previous)
        scope = scope_of(address)
        self._listener.on_event(
            ExternalIPChanged(external_ip=address, previous_ip=previous, scope=scope, reason=self._reason(address))
        )
        for key, mapping in self._mappings.items():
            self._mappings[key] = moved = replace(mapping, external_ip=address)
            self._listener.on_event(PortChanged.of(moved))

    def _set_record_address(self, address: Address, previous: Address | None) -> None:
        """Put the address in the record; one of the other family, if it was ours, goes."""
        if previous is not None and previous.version != address.version:
            self._node.set_static_ip(None)
        self._node.set_static_ip(address)

    def _reason(self, address: Address) -> str:
        """The backend's evidence; and what the scope means, unless the user told the address."""
        meaning = "" if self._nat.opens_ports else meaning_of(scope_of(address))
        return "; ".join(filter(None, (*self._nat.evidence(), meaning)))

    def _no_address(self, error: PortmapError) -> None:
        reason, kind = str(error), error_kind(error)
        if kind == self._failure_kind:
            _log.debug("%s still tells no address: %s", self._nat, reason)
        else:
            _log.warning("%s tells no address: %s", self._nat, reason)
            known = self._state.address
            self._listener.on_event(
                ExternalIPFailed(
                    external_ip=known, scope=scope_of(known), reason=reason, error=errors.error_name(error)
                )
            )
        self._failure_kind = kind
        now = self._inbox.now()
        self._state = self._state.unreachable(reason, now, self._random(), self._policy.ip_interval)

    # The ports -----------------------------------------------------------------------------------------------

    def _announce(self, request: PortRequest) -> None:
        """Announce the port, once there is something to say about it."""
        address = self._state.address
        if address is None and (self._nat.opens_ports or self._state.reachable is None):
            return
        try:
            grant = self._grant(request)
        except (NATError, PluginError) as error:
            self._fail(request, error)
            return
        self._failures.pop(request.key, None)
        mapping = Mapping(
            request.protocol,
            request.internal_port,
            grant.external_port,
            lifetime=0,
            external_ip=address,
            name=request.name,
            static=True,
            follow=request.follow,
            host=request.host,
        )
        event = PortChanged if mapping.key in self._mappings else PortAdded
        self._mappings[mapping.key] = mapping
        self._listener.on_event(event.of(mapping))

    def _grant(self, request: PortRequest) -> Grant:
        """What the backend says of the request. Raises NATError or PluginError."""
        grant = self._nat.add_mapping(
            request.protocol, request.external_port, request.internal_port, request.name, request.lifetime
        )
        if not self._nat.opens_ports:
            raise Refused(f"{self._nat} only learns the external address: it opens no port")
        return grant

    def _fail(self, request: PortRequest, error: PortmapError) -> None:
        kind = error_kind(error)
        if self._failures.get(request.key) == kind:
            return
        self._failures[request.key] = kind
        _log.warning("%s is not open: %s", request.key, error)
        self._listener.on_event(lease_events.event_of_failure(Lease.of(request, self._inbox.now()), error))

    def _remove(self, key: Key) -> None:
        self._requests.pop(key, None)
        self._failures.pop(key, None)
        mapping = self._mappings.pop(key, None)
        if mapping is not None:
            self._listener.on_event(PortRemoved.of(mapping))
