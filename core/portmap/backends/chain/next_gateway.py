"""`auto` beyond a gateway: the next gateway on the way out, looked for and asked with every installed protocol.

Rules:
- No host is contacted but gateways on the way: the router that a datagram with that TTL dies at; where none says so,
  the usual addresses (.1 and .254) of the private network that the inner gateway's outer address is in.
- No failure is remembered: where nothing answers, the next call looks anew.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from ipaddress import IPv4Address
from typing import ClassVar, TypeAlias

from portmap.backends.any.backend import AnyBackend
from portmap.backends.any.candidates import Candidate, installed_candidates
from portmap.backends.any.race import Race
from portmap.backends.nat import Nat
from portmap.errors import SILENCE, NoGateway
from portmap.hookspecs import Alert, Closer, hookimpl
from portmap.loading.catalog import Catalogue
from portmap.model import Address, Grant, Kind, Listed, Protocol, Scope, scope_of
from portmap.wire.path_probe import router_at

PUNCH = "a provider's NAT cannot be asked, but --beyond punch:A+B may keep a port open there, by two STUN servers"
_HOSTS = (1, 254)  # where routers stand in a network of 256 addresses
_log = logging.getLogger("portmap.chain")

CandidatesAt: TypeAlias = Callable[[IPv4Address], Iterable[Candidate | Nat]]
RouterAt: TypeAlias = Callable[[int], IPv4Address | None]


class NextGateway:
    """The gateway at this `place` on the way out; 1 is the nearest one.

    `router_at` gives the router at a place on the way out, `candidates_at` the backends for a gateway's address.
    `inner_address` is the outer address of the one before it, None while that is not known.
    """

    kind: ClassVar[Kind] = Kind.LOOP

    def __init__(
        self,
        place: int,
        candidates_at: CandidatesAt,
        router_at: RouterAt = router_at,
    ) -> None:
        self.inner_address: Address | None = None
        self._place = place
        self._candidates_at = candidates_at
        self._router_at = router_at
        self._places: tuple[IPv4Address, ...] = ()
        self._found: AnyBackend | None = None
        self._hint = ""
        self._alert: Alert | None = None
        self._unwatch: Closer = _nothing

    def __str__(self) -> str:
        return str(self._found) if self._found else "the next gateway"

    @hookimpl
    def external_ip(self) -> Address:
        """What it states; where it is silent, it is looked for anew. NoGateway says where it was looked for."""
        silence = before = None
        if self._found is not None:
            try:
                return self._found.external_ip()
            except SILENCE as error:
                _log.info("gateway %d on the way out is looked for anew: %s", self._place, error)
                silence, before = error, self._found
        gateway = self._look()
        with self._places_told():
            if silence is not None and gateway is before:
                raise silence  # it has just been asked at the same places
            return gateway.external_ip()

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
        """As the gateway that was found."""
        gateway = self._found or self._look()
        with self._places_told():
            return gateway.add_mapping(
                protocol, external_port, internal_port, name, lifetime, token, exact=exact, client=client
            )

    @hookimpl
    def delete_mapping(
        self, protocol: Protocol, external_port: int, internal_port: int, token: str, client: Address | None
    ) -> None:
        """As the gateway that was found."""
        self._gateway.delete_mapping(protocol, external_port, internal_port, token, client)

    @hookimpl
    def has_mapping(
        self, protocol: Protocol, external_port: int, internal_port: int, token: str, client: Address | None
    ) -> bool | None:
        """As the gateway that was found."""
        return self._gateway.has_mapping(protocol, external_port, internal_port, token, client)

    @hookimpl
    def list_mappings(self) -> tuple[Listed, ...] | None:
        """As the gateway that was found."""
        return self._gateway.list_mappings()

    @hookimpl
    def watch(self, alert: Alert) -> Closer:
        """Watch the gateway that was found, and each that is found later."""
        self._alert = alert
        self._watch_found()

        def close() -> None:
            if self._alert is alert:  # else a later one has taken over
                self._alert = None
                self._watch_found()

        return close

    @hookimpl
    def hint(self) -> str:
        """Which protocol the gateway answered by, and its own hint."""
        return self._found.hint() if self._found else ""

    @hookimpl
    def take_hint(self, hint: str) -> None:
        """To be preferred, where the gateway is found at the same place."""
        self._hint = hint

    @hookimpl
    def evidence(self) -> tuple[str, ...]:
        """Where it was found, and what that is based on."""
        if self._found is None:
            return ()
        return (f"looked for at {self._shown_places}", *self._found.evidence())

    @property
    def _gateway(self) -> AnyBackend:
        return self._found or self._look()

    def _look(self) -> AnyBackend:
        """Find the places to ask at. Raises NoGateway where there is none."""
        places = places_of(self._place, self.inner_address, self._router_at)
        if not places:
            raise NoGateway(f"no router was found on the way out: name it, as in --beyond pmp:192.168.0.1; {PUNCH}")
        if self._found is None or places != self._places:
            self._places = places
            self._found = AnyBackend(Race(self._candidates), name="the next gateway")
            self._found.take_hint(self._hint)
            self._watch_found()
        return self._found

    @contextmanager
    def _places_told(self) -> Iterator[None]:
        """Within it, silence says where was asked, and what may help."""
        try:
            yield
        except SILENCE as error:
            raise type(error)(f"nothing that maps ports answers at {self._shown_places}: {error}; {PUNCH}") from error

    @property
    def _shown_places(self) -> str:
        return " or ".join(map(str, self._places))

    def _candidates(self) -> list[Candidate | Nat]:
        return [candidate for place in self._places for candidate in self._candidates_at(place)]

    def _watch_found(self) -> None:
        self._unwatch()
        self._unwatch = self._found.watch(self._alert) if self._found and self._alert else _nothing


def places_of(place: int, inner_address: Address | None, router_at: RouterAt) -> tuple[IPv4Address, ...]:
    """Where the gateway at this `place` may be asked: the router that identifies itself, else the usual addresses."""
    told = router_at(place)
    return tuple(usual_places(inner_address)) if told is None else (told,)


def usual_places(outside: Address | None) -> list[IPv4Address]:
    """Where the router of the network with this address may be, if it is a private one: other hosts are not asked.

    In a network that a provider shares (100.64/10) those addresses may be other customers'.
    """
    if not isinstance(outside, IPv4Address) or scope_of(outside) is not Scope.PRIVATE:
        return []
    network = int(outside) & 0xFFFFFF00
    return [place for host in _HOSTS if (place := IPv4Address(network | host)) != outside]


class NextGatewayNat(Nat):
    """A NextGateway, called safely. The chain uses it only where the address of the inner gateway is not public."""

    def __init__(self, gateway: NextGateway) -> None:
        super().__init__(gateway, "auto")
        self._gateway = gateway

    def tell_inner_address(self, address: Address | None) -> None:
        """The outer address of the gateway before it."""
        self._gateway.inner_address = address


def next_gateway(place: int, catalogue: Catalogue, interface: str | None = None) -> NextGatewayNat:
    """The gateway at this place on the way out by the interface, asked with every installed protocol."""
    find = partial(router_at, interface=interface)
    return NextGatewayNat(NextGateway(place, partial(candidates_at, catalogue, interface=interface), find))


def candidates_at(catalogue: Catalogue, gateway: IPv4Address, interface: str | None = None) -> list[Candidate]:
    """Every installed backend that takes the address of a gateway, for this one."""
    return installed_candidates(catalogue, AnyBackend, argument=str(gateway), interface=interface)


def _nothing() -> None:
    """There is no watch to end."""
