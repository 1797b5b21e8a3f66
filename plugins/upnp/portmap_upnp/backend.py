"""The backend `upnp`: the three hooks for a UPnP Internet Gateway Device.

Law: the gateway is looked for when it is needed, and forgotten as soon as talk with it fails: its control port changes
with every restart. A refusal is talk that worked. No failure is remembered.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import AddressValueError, IPv4Address
from typing import ClassVar

from portmap.errors import Garbled, GatewayTimeout, NATError, NoGateway, Refused, SpecError
from portmap.gateways import local_address_towards
from portmap.hookspecs import hookimpl
from portmap.model import MAX_PORT, Grant, Kind, PortRequest, Protocol
from portmap_upnp.description import Gateway, Service
from portmap_upnp.discovery import describe as describe_device
from portmap_upnp.discovery import discover
from portmap_upnp.igd import Igd
from portmap_upnp.location import Location, parse_url
from portmap_upnp.mapper import Forward, Mapper, describe, random_port
from portmap_upnp.search import Search

_FORM = "write upnp, or upnp:http://192.168.1.1:5000/rootDesc.xml"
PATIENCE = 9.0  # seconds for one hook, search included: the core gives it 10
_log = logging.getLogger("portmap.upnp")
_UP = ("Connected", "Up")  # WANIPConnection:1 §2.2.2 and what some routers say instead


class Upnp:
    """UPnP IGD:1 and IGD:2. `location`: a description to use instead of searching; `patience`: seconds for one hook."""

    kind: ClassVar[Kind] = Kind.LOOP

    def __init__(
        self,
        location: Location | None = None,
        *,
        search: Search | None = None,
        choose: Callable[[], int] = random_port,
        patience: float = PATIENCE,
    ) -> None:
        self._location = location
        self._search = search or Search()
        self._choose = choose
        self._patience = patience
        self._gateway: Gateway | None = None  # the last one found: its name, for people
        self._service: Service | None = None  # what we talk to; None: to be found
        self._mappers: dict[IPv4Address, Mapper] = {}

    @classmethod
    def from_argument(cls, argument: str | None) -> "Upnp":
        """From what follows `upnp:`: nothing, or the URL of a description. Raises SpecError for anything else."""
        if argument is None:
            return cls()
        try:
            return cls(parse_url(argument))
        except Garbled as error:
            raise SpecError(f"upnp: {error}; {_FORM}") from error

    def __str__(self) -> str:
        if self._gateway:
            return str(self._gateway)
        return f"UPnP {self._location.host}" if self._location else "UPnP"

    @hookimpl
    def external_ip(self) -> IPv4Address:
        """Ask for the external address; WAN down, no address and nonsense are errors."""
        with self._talk() as (igd, _, _):
            if (status := _status(igd)) not in _UP:
                self._service = None  # another of its connections, or another gateway, may be up
                raise Refused(f"the gateway's WAN side is down ({status[:40]!r}); look at its line", text=status[:40])
            return parse_external_ip(igd.external_ip())

    @hookimpl
    def add_mapping(
        self, protocol: Protocol, external_port: int, internal_port: int, name: str, lifetime: int
    ) -> Grant:
        """Open a port for this host, on another external port where the wanted one is taken."""
        request = PortRequest(protocol, internal_port, external_port, name, lifetime)
        with self._talk() as (igd, mapper, us):
            port = external_port or mapper.usual_port(protocol, internal_port)
            wanted = Forward(protocol, port, us, internal_port)
            return mapper.open(igd, wanted, describe(request.name, internal_port), request.lifetime)

    @hookimpl
    def delete_mapping(self, protocol: Protocol, external_port: int, internal_port: int) -> None:
        """Shut a port that leads to this host and was opened by us."""
        if not (1 <= external_port <= MAX_PORT and 1 <= internal_port <= MAX_PORT):
            raise SpecError(f"ports {external_port} and {internal_port}: use 1 to {MAX_PORT}")
        with self._talk() as (igd, mapper, us):
            mapper.close(igd, Forward(protocol, external_port, us, internal_port))

    @contextmanager
    def _talk(self) -> Iterator[tuple[Igd, Mapper, IPv4Address]]:
        """A talk with the gateway: with whom, who keeps the books there, and our own address on that side."""
        deadline = time.monotonic() + self._patience
        service = self._service = self._service or self._find(deadline)
        host = service.control.host
        try:
            us = local_address_towards(host)
            with Igd(service, deadline) as igd:
                yield igd, self._mappers.setdefault(host, Mapper(self._choose)), us
        except (NoGateway, GatewayTimeout, Garbled):
            self._service = None
            raise

    def _find(self, deadline: float) -> Service:
        self._gateway = describe_device(self._location) if self._location else discover(self._search)
        return _connected(self._gateway.services, deadline)


def _connected(services: tuple[Service, ...], deadline: float) -> Service:
    """The service whose WAN side is up, where a gateway has several (some list a dead one first)."""
    if len(services) == 1:
        return services[0]
    return next((service for service in services if _answers_up(service, deadline)), services[0])


def _answers_up(service: Service, deadline: float) -> bool:
    try:
        with Igd(service, deadline) as igd:
            return igd.status() in _UP
    except NATError as error:
        _log.debug("%s passed over: %s", service.control, error)
        return False


def _status(igd: Igd) -> str:
    """The WAN side's status; taken for up where the gateway does not tell."""
    try:
        return igd.status()
    except (Refused, Garbled) as error:
        _log.debug("the gateway does not tell its status: %s", error)
        return _UP[0]


def parse_external_ip(text: str) -> IPv4Address:
    """The address that a gateway states. Raises Refused where it says that it has none, Garbled for nonsense."""
    try:
        address = IPv4Address(text or "0.0.0.0")  # noqa: S104  # no address to bind to: "none yet", as some write it
    except AddressValueError as error:
        raise Garbled(f"the gateway states {text[:40]!r} as its external address") from error
    if address.is_unspecified:
        raise Refused("the gateway has no external address; is its line to the Internet up?", text=text)
    return address
