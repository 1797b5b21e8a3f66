"""The backend of a chain: gateways in a row, each behind the NAT of the next, kept as if they were one.

The innermost gateway maps to this host, every other one to what the one before it granted: to that gateway's outer
address, at the port that it opened. The external address and port are those of the outermost. The loop does not know
that it is a chain; a failure says at which hop it happened.
"""

import json
import logging
from collections.abc import Sequence
from typing import ClassVar

from portmap.backends.any.combined_watch import CombinedWatch
from portmap.backends.chain.chain_mapping import ChainMapping
from portmap.backends.chain.hop import Hop, Hops, TimeLeft
from portmap.backends.chain.hop_mapping import ChainRequest
from portmap.backends.nat import Nat
from portmap.errors import NotYet, SpecError
from portmap.hookspecs import Alert, Closer, hookimpl
from portmap.model import Address, Grant, Key, Kind, Listed, Protocol

_log = logging.getLogger("portmap.chain")


class ChainBackend:
    """Two or more gateways in a row, given from this host outwards. Raises SpecError for what opens no ports."""

    kind: ClassVar[Kind] = Kind.LOOP

    def __init__(self, nats: Sequence[Nat]) -> None:
        for nat in nats:
            _check_is_hop(nat)
        for nat in nats[:-1]:
            _check_is_inner_hop(nat)
        for nat in nats[1:]:
            _check_is_outer_hop(nat)
        self._hops = Hops(nats)
        self._mappings: dict[Key, ChainMapping] = {}
        self._alert: Alert | None = None
        self.on_release: Alert | None = None
        """What to call, in the next watch, where another portmap lets go of a port of ours at one of the gateways."""
        self.relays = nats[-1].relays
        self.default_lifetime = min(nat.default_lifetime for nat in nats)
        self.default_mappings = nats[0].default_mappings

    def __str__(self) -> str:
        return ", beyond it ".join(map(str, self._hops.in_use))

    @hookimpl
    def external_ip(self) -> Address:
        """The outermost gateway's address. The others are asked first: they are on the way there."""
        left = TimeLeft()
        unknown: NotYet | None = None
        for hop in self._hops.all:
            if not hop.is_needed:
                break
            with hop.place_told():
                unknown = self._ask_address(hop, left)
                hop.check_is_beyond()
        address = self._hops.outermost.address
        if unknown is not None or address is None:
            raise unknown or NotYet(f"{self._hops.outermost} has just changed its address")
        return address

    @hookimpl
    def add_mapping(
        self,
        protocol: Protocol,
        external_port: int,
        internal_port: int,
        name: str,
        lifetime: int,
        token: str,
        exact: bool,
        client: Address | None,
    ) -> Grant:
        """Open the port at each gateway, from this host outwards, or extend it there."""
        request = ChainRequest(protocol, external_port, internal_port, name, lifetime, exact, client)
        return self._mapping(protocol, internal_port, client, token).open(request)

    @hookimpl
    def delete_mapping(
        self, protocol: Protocol, external_port: int, internal_port: int, token: str, client: Address | None
    ) -> None:
        """Shut the port at each gateway, from the outside in. Raises what the outermost that failed did."""
        mapping = self._mapping(protocol, internal_port, client, token)
        if not mapping.is_known:
            mapping.delete_innermost(external_port, internal_port, client)
            return
        for hop, error in reversed(failures := mapping.delete()):
            _log.info("%s may still map %s %d: %s", hop, protocol, internal_port, error)
        if failures:
            raise failures[0][1]

    @hookimpl
    def has_mapping(self, protocol: Protocol, internal_port: int, token: str, client: Address | None) -> bool | None:
        """Whether every gateway lists its part; None where one cannot tell."""
        mapping = self._mapping(protocol, internal_port, client, token)
        return mapping.is_listed() if mapping.is_known else None

    @hookimpl
    def list_mappings(self) -> tuple[Listed, ...] | None:
        """The outermost gateway's table."""
        with self._hops.outermost.place_told():
            return self._hops.outermost.nat.list_mappings()

    @hookimpl
    def watch(self, alert: Alert) -> Closer:
        """Watch every gateway."""
        self._alert = alert
        hops = {hop.nat: hop for hop in self._hops.all}
        watches = CombinedWatch(lambda nat: lambda reason: self._on_alert(hops[nat], reason, alert), self.on_release)
        watches.add(hops)

        def close() -> None:
            if self._alert is alert:  # else a later one has taken over
                self._alert = None
            watches.close()

        return close

    @hookimpl
    def hint(self) -> str:
        """The hints of all gateways."""
        hints = [hop.nat.hint() for hop in self._hops.all]
        return json.dumps(hints) if any(hints) else ""

    @hookimpl
    def take_hint(self, hint: str) -> None:
        """Give each gateway its own, if this is what a chain of as many has said."""
        try:
            hints = json.loads(hint)
        except (ValueError, RecursionError):
            return
        if isinstance(hints, list) and len(hints) == len(self._hops.all):
            for hop, text in zip(self._hops.all, hints, strict=True):
                if isinstance(text, str) and text:
                    hop.nat.take_hint(text)

    @hookimpl
    def evidence(self) -> tuple[str, ...]:
        """Each gateway with its outer address, and what its finding was based on."""
        return tuple(fact for hop in self._hops.in_use for fact in hop.evidence)

    def _mapping(self, protocol: Protocol, internal_port: int, client: Address | None, token: str) -> ChainMapping:
        """The mapping of that key; the first time what its token says."""
        key = Key.to_client(protocol, internal_port, client)
        if key not in self._mappings:
            self._mappings[key] = mapping = ChainMapping(self._hops, protocol, self._learn)
            mapping.take_over(token, client, internal_port)
        return self._mappings[key]

    def _ask_address(self, hop: Hop, left: TimeLeft) -> NotYet | None:
        """Learn the outer address; the error where it is told with a mapping only."""
        hop.tell_inner_address()
        try:
            self._learn(hop, hop.nat.external_ip(left.seconds()))
        except NotYet as error:
            return error
        return None

    def _learn(self, hop: Hop, address: Address) -> None:
        """A gateway told its outer address. Where that of an inner one changed, the outer mappings lead nowhere."""
        before = hop.address
        if hop.change_address(address) and hop is not self._hops.outermost and self._alert is not None:
            self._alert(f"the outer address of {hop} changed: {before} -> {address}")

    def _on_alert(self, hop: Hop, reason: str, alert: Alert) -> None:
        """On any thread: a gateway may have forgotten us, or have another address."""
        if hop is not self._hops.outermost:
            hop.address = None
        alert(reason)

    def forget(self, key: Key) -> None:
        """The mapping is no longer ours to delete."""
        self._mappings.pop(key, None)

    def delete_rest(self) -> None:
        """At the end of a session: delete what the loop did not, as it was given up, or is being opened just now.

        There is no time to wait for a gateway that gives no answer. On any thread.
        """
        for mapping in tuple(self._mappings.values()):
            mapping.end()


def _check_is_hop(nat: Nat) -> None:
    """Raises SpecError for a backend that cannot be part of a chain."""
    if nat.kind is Kind.NONE or not nat.opens_ports:
        raise SpecError(f"{nat} opens no ports, so it cannot be part of a chain: name a gateway")
    if nat.ipv6:
        raise SpecError(f"{nat} is an IPv6 firewall: where there is no NAT, nothing is beyond")


def _check_is_inner_hop(nat: Nat) -> None:
    """Raises SpecError for a backend that goes through every NAT on the way out."""
    if nat.listens_itself:
        raise SpecError(f"{nat} goes through every NAT on the way out, so nothing is beyond it: name it last")


def _check_is_outer_hop(nat: Nat) -> None:
    """Raises SpecError for a backend that cannot be asked to forward to the gateway before it."""
    if not (nat.maps_for_others or nat.listens_itself):
        raise SpecError(f"{nat} opens ports for this host only, so it cannot be beyond another gateway")
