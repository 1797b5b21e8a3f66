"""The backend `upnp`: the hooks for a UPnP Internet Gateway Device.

Law: this file decides what to ask and what an answer is worth; whom to ask is `talks`', how to map `mapper`'s.
"""

import logging
import time
from collections.abc import Callable
from ipaddress import AddressValueError, IPv4Address
from typing import ClassVar

from portmap.errors import SILENCE, Garbled, Refused, SpecError
from portmap.hookspecs import Alert, Closer, hookimpl
from portmap.model import MAX_PORT, Grant, Kind, Listed, PortRequest, Protocol
from portmap_upnp.contact import Contact
from portmap_upnp.control.wan_connection import UP, WanConnection, WanStatus
from portmap_upnp.discovery import ssdp
from portmap_upnp.discovery.search import Search
from portmap_upnp.gateway_session import GatewaySession
from portmap_upnp.location import Location, parse_url
from portmap_upnp.mapping.port_forward import PortForward
from portmap_upnp.mapping.port_mapper import PortMapper, random_port
from portmap_upnp.mapping.rate_limit import PAUSE, RateLimiter
from portmap_upnp.mapping.table_listing import read_table
from portmap_upnp.notifications.advertisements import Peer
from portmap_upnp.notifications.uptime import UptimeTracker
from portmap_upnp.notifications.watch import GatewayWatch
from portmap_upnp.pinhole_backend import UpnpPinholes

_FORM = "write upnp, or upnp:http://192.168.1.1:5000/rootDesc.xml"
PATIENCE = 8.0  # seconds for one hook, search and a second search included: the core gives it 15
_log = logging.getLogger("portmap.upnp")


class _WanDown(Refused):
    """The gateway is of no use now; another one may be."""


class Upnp:
    """UPnP IGD:1 and IGD:2. `location`: a description to use instead of searching; `patience`: seconds for one hook;
    `pace`: seconds of pause after each burst of mappings (`pace.BURST`); `announced_at`: where NOTIFYs are heard.
    """

    kind: ClassVar[Kind] = Kind.LOOP
    preference: ClassVar[int | None] = 1  # several slow calls a mapping, and text to be parsed

    def __init__(
        self,
        location: Location | None = None,
        *,
        search: Search | None = None,
        choose: Callable[[], int] = random_port,
        patience: float = PATIENCE,
        pace: float = PAUSE,
        announced_at: Peer = (ssdp.ADDRESS, ssdp.PORT),
    ) -> None:
        self._search = search or Search()
        self._talks = GatewaySession(location, self._search, patience)
        self._choose = choose
        self._pace = RateLimiter(pace)
        self._announced_at = announced_at
        self._mappers: dict[IPv4Address, PortMapper] = {}
        self._uptime = UptimeTracker()

    @classmethod
    def from_argument(cls, argument: str | None) -> "Upnp":
        """From what follows `upnp:`: nothing, or the URL of a description. Raises SpecError for anything else."""
        if argument is None:
            return cls()
        try:
            return cls(parse_url(argument))
        except Garbled as error:
            raise SpecError(f"upnp: {error}; {_FORM}") from error

    @classmethod
    def ipv6_from_argument(cls, argument: str | None) -> UpnpPinholes:
        """The gateway's IPv6 firewall. Raises SpecError where the argument is the URL of a description by IPv4."""
        return UpnpPinholes.from_argument(argument)

    def __str__(self) -> str:
        return str(self._talks)

    @hookimpl
    def external_ip(self) -> IPv4Address:
        """Ask for the external address; WAN down, no address and nonsense are errors.

        Where several gateways answer searches, one whose WAN side is down is passed over for another.
        """
        try:
            return self._talks.run(self._external_ip)
        except _WanDown as refusal:
            try:
                return self._talks.run(self._external_ip)
            except SILENCE:
                raise refusal from None

    @hookimpl
    def add_mapping(
        self, protocol: Protocol, external_port: int, internal_port: int, name: str, lifetime: int
    ) -> Grant:
        """Open a port for this host, on another external port where the wanted one is taken."""
        request = PortRequest(protocol, internal_port, external_port, name, lifetime)

        def add(igd: WanConnection, contact: Contact) -> Grant:
            mapper = self._mapper(contact)
            port = external_port or mapper.usual_port(protocol, internal_port)
            wanted = PortForward(protocol, port, contact.us, internal_port)
            return mapper.open(igd, wanted, request.name, request.lifetime)

        self._pace.before_call()
        try:
            return self._talks.run(add)
        finally:
            self._pace.after_call()

    @hookimpl
    def delete_mapping(self, protocol: Protocol, external_port: int, internal_port: int) -> None:
        """Shut a port that leads to this host and was opened by us. Not paced: on the way out time is short."""
        if not (1 <= external_port <= MAX_PORT and 1 <= internal_port <= MAX_PORT):
            raise SpecError(f"ports {external_port} and {internal_port}: use 1 to {MAX_PORT}")

        def close(igd: WanConnection, contact: Contact) -> None:
            self._mapper(contact).close(igd, PortForward(protocol, external_port, contact.us, internal_port))

        self._talks.run(close)

    @hookimpl
    def list_mappings(self) -> tuple[Listed, ...]:
        """The gateway's own table, everybody's mappings; ours by their marks."""
        return self._talks.run(lambda igd, contact: read_table(igd, contact.us))

    @hookimpl
    def watch(self, alert: Alert) -> Closer:
        """Alert when the gateway restarted, moved, came back or got another external address, as far as it tells."""
        talks = self._talks
        watch = GatewayWatch(lambda: talks.contact, self._search.gateways, talks.updates.put, alert, self._announced_at)
        talks.on_change, talks.on_alert = watch.wake, alert

        def close() -> None:
            if talks.on_alert is alert:  # else a later watch has taken over
                talks.be_quiet()
            watch.close()

        return close

    @hookimpl
    def evidence(self) -> tuple[str, ...]:
        """Who made the gateway found last, if it says so, and where it describes itself."""
        gateway = self._talks.gateway
        return tuple(filter(None, (gateway.maker, str(gateway.location)))) if gateway else ()

    @hookimpl
    def hint(self) -> str:
        """Where the gateway in use describes itself."""
        contact = self._talks.contact
        return str(contact.gateway.location) if contact else ""

    @hookimpl
    def take_hint(self, hint: str) -> None:
        """Look there at once beside the next search, if it is where a search's answer might have led us."""
        try:
            self._talks.hint = parse_url(hint)
        except Garbled as error:
            _log.debug("the hint is not followed: %s", error)

    def _mapper(self, contact: Contact) -> PortMapper:
        """Who keeps the books of what we hold at a gateway."""
        host = contact.gateway.host
        if host not in self._mappers:
            self._mappers[host] = PortMapper(self._choose)
        return self._mappers[host]

    def _external_ip(self, igd: WanConnection, _contact: Contact) -> IPv4Address:
        status = _status(igd)
        if reason := self._uptime.restart_seen(status.uptime, time.monotonic()):
            self._talks.alert(f"{self} {reason}")
        if status.connection not in UP:
            shown = status.connection[:40]
            error = _WanDown if self._talks.avoid_current() else Refused
            raise error(f"the gateway's WAN side is down ({shown!r}); look at its line", text=shown)
        self._talks.accept_current()
        return parse_external_ip(igd.external_ip())


def _status(igd: WanConnection) -> WanStatus:
    """The WAN side's status; taken for up where the gateway does not tell."""
    try:
        return igd.status()
    except (Refused, Garbled) as error:
        _log.debug("the gateway does not tell its status: %s", error)
        return WanStatus(UP[0])


def parse_external_ip(text: str) -> IPv4Address:
    """The address that a gateway states. Raises Refused where it says that it has none, Garbled for nonsense."""
    try:
        address = IPv4Address(text or "0.0.0.0")  # noqa: S104  # no address to bind to: "none yet", as some write it
    except AddressValueError as error:
        raise Garbled(f"the gateway states {text[:40]!r} as its external address") from error
    if address.is_unspecified:
        raise Refused("the gateway has no external address; is its line to the Internet up?", text=text)
    return address
