"""The backend `upnp`: the hooks for a UPnP Internet Gateway Device.

This class decides what to ask and what an answer is worth; GatewaySession decides which gateway is asked, PortMapper
how a port is opened there.
"""

import logging
from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Address
from typing import ClassVar

from portmap.errors import SILENCE, Garbled, NoPublicAddress, Refused, SpecError, UnverifiedGateway
from portmap.hookspecs import Alert, Closer, hookimpl
from portmap.model import MAX_PORT, Address, Grant, Kind, Listed, PortRequest, Protocol, Scope, scope_of
from portmap_upnp.argument import parse_gateway
from portmap_upnp.control.external_address import (
    DOUBLE_NAT,
    FormerDefault,
    WanDown,
    check_has_public_address,
    parse_external_ip,
    read_status,
    states_none,
)
from portmap_upnp.control.upnp_errors import ACTION_FAILED, INVALID_ACTION
from portmap_upnp.control.wan_connection import WanActions
from portmap_upnp.control.wan_state import WanState
from portmap_upnp.discovery import ssdp
from portmap_upnp.discovery.search import Search
from portmap_upnp.gateway_session import ActiveGateway, Connect, GatewaySession, connect_by_soap
from portmap_upnp.location import Location, parse_url
from portmap_upnp.mapping import table_listing
from portmap_upnp.mapping.ownership import is_host_present
from portmap_upnp.mapping.port_forward import PortForward, explain
from portmap_upnp.mapping.port_mapper import PortMapper, random_port
from portmap_upnp.mapping.rate_limit import PAUSE, RateLimiter
from portmap_upnp.notifications.advertisements import Peer
from portmap_upnp.notifications.watch import GatewayWatch
from portmap_upnp.pinhole_backend import UpnpPinholes

TIMEOUT = 8.0  # seconds for one hook, search and a second search included: the core gives it 15
CALLS_TO_CLOSE = 3  # look, delete, look again
TIME_TO_CLOSE = 1.5  # seconds for all entries, of the 3 within which portmap ends; if that is too short, do not look
_log = logging.getLogger("portmap.upnp")


class Upnp:
    """UPnP IGD:1 and IGD:2, by our own control point.

    `location`: a description to use instead of searching; `timeout`: seconds for one hook; `pace`: seconds of pause
    after each burst of mappings (`rate_limit.BURST`); `announced_at`: the group and port of SSDP NOTIFY.
    """

    kind: ClassVar[Kind] = Kind.LOOP
    preference: ClassVar[int | None] = 1  # several slow calls a mapping, and text to be parsed
    name: ClassVar[str] = "upnp"

    def __init__(
        self,
        location: Location | None = None,
        *,
        search: Search | None = None,
        choose: Callable[[], int] = random_port,
        timeout: float = TIMEOUT,
        pace: float = PAUSE,
        announced_at: Peer = (ssdp.ADDRESS, ssdp.PORT),
    ) -> None:
        self._search = search or Search.on(None)
        self._session = GatewaySession(location, self._search, timeout, self.make_connect())
        self._choose = choose
        self._pace = RateLimiter(pace)
        self._announced_at = announced_at
        self._stated: IPv4Address | None = None  # what the gateway last gave as its external address
        self._in_haste = False  # once time is short for the entries to delete, it stays so for the last of them
        self._sample: PortForward | None = None  # an entry of ours that the gateway shows, if it forgot nothing
        self._mappers: dict[IPv4Address, PortMapper] = {}
        self._known: ActiveGateway | None = None  # the one that the mapper has learnt about

    @classmethod
    def from_argument(cls, argument: str | None, interface: str | None = None) -> "Upnp":
        """From what follows the backend's name: nothing, an address, or the URL of a description. Raises SpecError."""
        gateway = None if argument is None else parse_gateway(argument, cls.name, interface)
        search = Search.on(interface)
        return cls(search=search.at(gateway)) if isinstance(gateway, IPv4Address) else cls(gateway, search=search)

    @classmethod
    def ipv6_from_argument(cls, argument: str | None, interface: str | None = None) -> UpnpPinholes:
        """The gateway's IPv6 firewall. Raises SpecError where the argument is the URL of a description by IPv4."""
        return UpnpPinholes.from_argument(argument, interface)

    @staticmethod
    def make_connect() -> Connect:
        """What calls the actions of a gateway: our own SOAP client."""
        return connect_by_soap

    def __str__(self) -> str:
        return str(self._session)

    @hookimpl
    def external_ip(self) -> IPv4Address:
        """Ask for the external address; WAN down, no address and nonsense are errors.

        Where several gateways answer searches, one whose WAN side is down is passed over for another. One that refuses
        whatever is asked may have moved its services, and one that was the default gateway may be so no more.
        """
        try:
            self._stated = self._session.run(self._external_ip)
        except WanDown as refusal:
            try:
                self._stated = self._session.run(self._external_ip)
            except SILENCE:
                raise refusal from None
        return self._stated

    @hookimpl
    def add_mapping(
        self,
        protocol: Protocol,
        external_port: int,
        internal_port: int,
        name: str,
        lifetime: int,
        client: Address | None,
    ) -> Grant:
        """Open a port for this host or the client, on another external port where the wanted one is taken."""
        request = PortRequest(protocol, internal_port, external_port, name, lifetime)
        self._in_haste = False

        def add(wan: WanActions, active: ActiveGateway) -> Grant:
            mapper = self._mapper(active)
            wanted = mapper.with_usual_port(active.forward(protocol, external_port, internal_port, client))
            try:
                grant = mapper.open(wan, wanted, request.name, request.lifetime)
            except Refused as refusal:
                if refusal.code == ACTION_FAILED:
                    check_has_public_address(wan, refusal)
                raise explain(refusal, wanted) from refusal.__cause__
            if mapper.shows_entries:
                self._sample = wanted._replace(external_port=grant.external_port)
            return grant

        self._pace.before_call()
        try:
            return self._session.run(add)
        finally:
            self._pace.after_call()

    @hookimpl
    def delete_mapping(
        self, protocol: Protocol, external_port: int, internal_port: int, client: Address | None
    ) -> None:
        """Close a port that was opened by us. Not paced: on the way out time is short."""
        if not (1 <= external_port <= MAX_PORT and 1 <= internal_port <= MAX_PORT):
            raise SpecError(f"ports {external_port} and {internal_port}: use 1 to {MAX_PORT}")

        def close(wan: WanActions, active: ActiveGateway) -> None:
            mapper = self._mapper(active)
            self._in_haste |= CALLS_TO_CLOSE * active.pacing.seconds * mapper.held > TIME_TO_CLOSE
            forward = active.forward(protocol, external_port, internal_port, client)
            self._sample = None if self._sample == forward else self._sample
            mapper.close(wan, forward, in_haste=self._in_haste)

        self._session.run(close)

    @hookimpl
    def force_delete(self, protocol: Protocol, external_port: int, internal_port: int) -> bool:
        """Delete an entry that leads to this host, ours or not."""
        self._session.run(
            lambda wan, active: self._mapper(active).force_close(
                wan, active.forward(protocol, external_port, internal_port)
            )
        )
        return True

    @hookimpl
    def has_mapping(
        self, protocol: Protocol, external_port: int, internal_port: int, client: Address | None
    ) -> bool | None:
        """Whether the gateway lists our entry: one call instead of the three that a renewal takes."""

        def look(wan: WanActions, active: ActiveGateway) -> bool | None:
            return self._mapper(active).lists(wan, active.forward(protocol, external_port, internal_port, client))

        return self._session.run(look)

    @hookimpl
    def list_mappings(self) -> tuple[Listed, ...]:
        """The gateway's own table, with the mappings of all hosts; ours by their descriptions."""
        return self._session.run(
            lambda wan, active: table_listing.read_table(wan, active.us), timeout=table_listing.TIMEOUT
        )

    @hookimpl
    def watch(self, alert: Alert) -> Closer:
        """Alert when the gateway restarted, moved, came back or got another external address, as far as it tells."""
        session = self._session
        watch = GatewayWatch(
            lambda: session.active,
            self._search.hosts,
            session.updates.put,
            alert,
            self._announced_at,
            lambda: self._sample,
            lambda: self._stated,
            self._search.interface,
        )
        session.on_change, session.on_alert = watch.wake, alert

        def close() -> None:
            if session.on_alert is alert:  # else a later watch has taken over
                session.be_quiet()
            watch.close()

        return close

    @hookimpl
    def evidence(self) -> tuple[str, ...]:
        """The maker of the gateway found last, if it says so, and where it describes itself."""
        gateway = self._session.gateway
        return tuple(filter(None, (gateway.maker, str(gateway.location)))) if gateway else ()

    @hookimpl
    def hint(self) -> str:
        """Where the gateway in use describes itself."""
        active = self._session.active
        return str(active.gateway.location) if active else ""

    @hookimpl
    def take_hint(self, hint: str) -> None:
        """Look there at once beside the next search, if it is where a search's answer might have led us."""
        try:
            location = parse_url(hint, self._search.interface)
        except Garbled as error:
            _log.debug("the hint is not followed: %s", error)
            return
        if isinstance(location.host, IPv4Address):
            self._session.hint = location

    def _mapper(self, active: ActiveGateway) -> PortMapper:
        """The mapper that knows what we hold at this gateway."""
        host = active.us if not isinstance(active.gateway.host, IPv4Address) else active.gateway.host
        if host not in self._mappers:
            presence = partial(is_host_present, interface=self._search.interface)
            self._mappers[host] = PortMapper(self._choose, is_host_present=presence)
        if active is not self._known:
            self._mappers[host].learn_anew()
            self._known = active
        return self._mappers[host]

    def _external_ip(self, wan: WanActions, active: ActiveGateway) -> IPv4Address:
        """One call where the gateway states an address; where it states none, its status says why.

        An address counts whatever the status: some routers say "Disconnected" for ever and map all the same (TP-Link
        Archer C54 and AX1500, Xiaomi: miniupnp#634, #881).
        """
        try:
            address = parse_external_ip(wan.external_ip())
        except Refused as error:
            return self._look_elsewhere(wan, error)
        if scope_of(address) is not Scope.PUBLIC and len(active.gateway.services) > 1:
            better = self._session.choose_service(WanState(read_status(wan), address))
            address = better.address or address
        self._session.accept_current()
        if self._session.is_no_default_gateway():
            kind = FormerDefault if self._session.leave_former_default() else UnverifiedGateway
            raise kind(
                f"{self} is not this network's default gateway, so its word on the external address does not count; "
                f"if it is yours, name it: {self.name}:{active.gateway.location}"
            )
        return address

    def _look_elsewhere(self, wan: WanActions, error: Refused) -> IPv4Address:
        """The address of another service of the gateway. Raises Refused, with the reason why there is none."""
        status = read_status(wan)
        better = self._session.choose_service(WanState(status, None))
        if better.address is not None:
            return better.address
        if status is not None and status.is_up and states_none(error):
            raise NoPublicAddress(DOUBLE_NAT, code=error.code, text=error.text) from error
        if status is not None and not status.is_up:
            shown = status.connection[:40]
            kind = WanDown if self._session.avoid_current() else Refused
            raise kind(f"the gateway's WAN side is down ({shown!r}); check its connection", text=shown) from error
        if status is None and error.code != INVALID_ACTION and self._session.has_other_services():
            raise WanDown(str(error), code=error.code, text=error.text) from error
        raise error
