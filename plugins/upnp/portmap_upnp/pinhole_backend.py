"""The gateway's IPv6 firewall as a backend: `Upnp.ipv6_from_argument`.

What is known of a gateway is dropped at the first failed call, also where it no longer knows the action, and it is
searched for again within the same call.

A pinhole is named by protocol, our address and our port, never by the UniqueID that we were once told: gateways begin
to count again when they restart and give a free number to the next pinhole, so an old number may mean another host's
pinhole. AddPinhole for what is open renews it and tells the number that it has now (§2.5.3; seen with miniupnpd and
igd2-for-linux); so that is how we renew, and what we do before we delete. No token is needed.
"""

import logging
import time
from collections.abc import Callable
from functools import partial
from ipaddress import IPv6Address
from typing import ClassVar, TypeVar

from portmap.errors import Garbled, GatewayTimeout, NoGateway, NotAuthorized, Refused, SpecError
from portmap.hookspecs import Alert, Closer, hookimpl
from portmap.model import Grant, Kind, PortRequest, Protocol
from portmap.network.routes import global_ipv6_address
from portmap.wire.waiter import Waiter
from portmap_upnp.control.firewall_control import FIREWALL_OFF, LONGEST_LEASE, NOT_ALLOWED, FirewallControl
from portmap_upnp.control.soap_client import CallPacing, SoapClient
from portmap_upnp.control.upnp_errors import INVALID_ACTION
from portmap_upnp.discovery.description import FirewallDevice
from portmap_upnp.discovery.discover import DESCRIPTION_TIMEOUT, discover_firewall, fetch_firewall
from portmap_upnp.discovery.search import Search
from portmap_upnp.location import Location, parse_url
from portmap_upnp.notifications.firewall_watch import FirewallWatch

T = TypeVar("T")

TIMEOUT = 8.0  # seconds for one hook, search included: the core gives it 15
WATCH_TIMEOUT = 1.0  # seconds for the answer to a look after an announcement
CLOSING_LEASE = 1  # second: the lease of a pinhole that is about to be deleted, should that fail
NO_NUMBER = "the gateway said yes, but gave the pinhole no number"
_UNREACHED = (NoGateway, GatewayTimeout, Garbled)
_log = logging.getLogger("portmap.upnp")


class UpnpPinholes:
    """Pinholes by WANIPv6FirewallControl:1. `location`: a description to use instead of searching; `here` tells our
    own global address; `timeout`: seconds for one hook.
    """

    kind: ClassVar[Kind] = Kind.LOOP
    ipv6: ClassVar[bool] = True

    def __init__(
        self,
        location: Location | None = None,
        *,
        search: Search | None = None,
        here: Callable[[], IPv6Address | None] | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        self._location = location
        self._search = search or Search.for_firewalls()
        self._here = here or partial(global_ipv6_address, self._search.interface)
        self._timeout = timeout
        self._pacing = CallPacing()
        self._device: FirewallDevice | None = None  # the one in use; None: to be found
        self._last_host = location.host if location else None  # the one used last: the name, for people
        self._on_found: Callable[[], None] = lambda: None

    @classmethod
    def from_argument(cls, argument: str | None, interface: str | None = None) -> "UpnpPinholes":
        """From what follows `upnp:`: nothing, or the URL of a description by IPv6. Raises SpecError."""
        search = Search.for_firewalls(interface)
        if argument is None:
            return cls(search=search)
        form = "for IPv6 write upnp, or upnp:http://[fe80::1%eth0]:5000/desc.xml"
        try:
            location = parse_url(argument, interface)
        except Garbled as error:
            raise SpecError(f"upnp: {error}; {form}") from error
        if not isinstance(location.host, IPv6Address):
            raise SpecError(f"upnp: this is no URL of a gateway by IPv6; {form}")
        return cls(location, search=search)

    def __str__(self) -> str:
        return f"UPnP IPv6 firewall {self._last_host}" if self._last_host else "UPnP IPv6 firewall"

    @hookimpl
    def external_ip(self) -> IPv6Address:
        """Our own global address, once the gateway has said that pinholes can be opened."""

        def look(firewall: FirewallControl) -> IPv6Address:
            status = firewall.status()
            if not status.enabled:
                text = f"the gateway's IPv6 firewall is off: nothing to open, {firewall.us} is reachable as it is"
                raise Refused(text, code=FIREWALL_OFF)
            if not status.allowed:
                text = "the gateway's IPv6 firewall allows no inbound pinholes; allow them in its settings"
                raise NotAuthorized(text, code=NOT_ALLOWED)
            return firewall.us

        return self._do(look)

    @hookimpl
    def add_mapping(self, protocol: Protocol, external_port: int, internal_port: int, lifetime: int) -> Grant:
        """Open a pinhole to our own port, or renew it; there is no other port outside."""
        request = PortRequest(protocol, internal_port, external_port, lifetime=lifetime)
        lease = min(request.lifetime, LONGEST_LEASE)

        def add(firewall: FirewallControl) -> Grant:
            unique_id = firewall.add(protocol, internal_port, lease)
            return Grant(internal_port, lease, firewall.us, note="" if unique_id else NO_NUMBER)

        return self._do(add)

    @hookimpl
    def delete_mapping(self, protocol: Protocol, external_port: int, internal_port: int) -> None:
        """Close the pinhole to our own port; one without a number by a lease that ends at once."""
        request = PortRequest(protocol, internal_port, external_port)

        def delete(firewall: FirewallControl) -> None:
            if unique_id := firewall.add(protocol, request.internal_port, CLOSING_LEASE):
                firewall.delete(unique_id)

        self._do(delete)

    @hookimpl
    def watch(self, alert: Alert) -> Closer:
        """Alert when the firewall announces that it has restarted."""
        interface = self._search.interface
        watch = FirewallWatch(lambda: self._device, self._search.gateways, self._fetch_again, alert, interface)
        self._on_found = watch.wake
        return watch.close

    def _fetch_again(self, device: FirewallDevice, waiter: Waiter) -> FirewallDevice:
        """The description of the firewall, from where it was. Called by the watch's thread."""
        return fetch_firewall(device.location, self._us(), WATCH_TIMEOUT, waiter)

    def _do(self, work: Callable[[FirewallControl], T]) -> T:
        """Do it with the gateway; find it again if the one in use cannot be reached, or does not know the action."""
        us, deadline = self._us(), time.monotonic() + self._timeout
        if self._device is not None:
            try:
                return work(self._connect(self._device, us, deadline))
            except (*_UNREACHED, Refused) as error:
                if isinstance(error, Refused) and error.code != INVALID_ACTION:
                    raise
                _log.info("%s is looked for anew: %s", self, error)
                self._device = None
        device = self._find(us, deadline)
        try:
            answer = work(self._connect(device, us, deadline))
        except Refused:  # the gateway was reached
            self._use(device)
            raise
        self._use(device)
        return answer

    def _connect(self, device: FirewallDevice, us: IPv6Address, deadline: float) -> FirewallControl:
        service = device.service
        return FirewallControl(SoapClient(service.service_type, service.control, deadline, us, self._pacing), us)

    def _use(self, device: FirewallDevice) -> None:
        self._device = device
        self._last_host = device.host
        self._on_found()

    def _us(self) -> IPv6Address:
        us = self._here()
        if us is None:
            raise NoGateway("this host has no global IPv6 address, so there is nothing to open; see your router's IPv6")
        return us

    def _find(self, us: IPv6Address, deadline: float) -> FirewallDevice:
        if self._location is not None:
            timeout = min(DESCRIPTION_TIMEOUT, max(0.0, deadline - time.monotonic()))
            return fetch_firewall(self._location, us, timeout)
        return discover_firewall(self._search, us, deadline)
