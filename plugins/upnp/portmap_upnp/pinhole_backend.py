"""The gateway's IPv6 firewall as a backend: `Upnp.ipv6_from_argument`.

Law: this file decides what to ask and what an answer is worth; `discovery6` finds whom to ask, `firewall` asks. What is
known of a gateway is dropped at the first failure to talk with it, and it is looked for again within the same call.

A pinhole is named by what it is (protocol, our address, our port), never by the UniqueID that we were once told:
gateways begin to count again when they restart and give a free number to the next one, so that an old number may mean
somebody else's pinhole. AddPinhole for what is open renews it and tells the number that it has now (§2.5.3; seen with
miniupnpd and igd2-for-linux); so that is how we renew, and what we do before we delete. No token is needed.
"""

import logging
import time
from collections.abc import Callable
from ipaddress import IPv6Address
from typing import ClassVar, TypeVar

from portmap.errors import Garbled, GatewayTimeout, NoGateway, NotAuthorized, Refused, SpecError
from portmap.hookspecs import hookimpl
from portmap.model import Grant, Kind, PortRequest, Protocol
from portmap.network.routes import global_ipv6_address
from portmap_upnp.control.firewall_control import FIREWALL_OFF, LONGEST_LEASE, NOT_ALLOWED, FirewallControl
from portmap_upnp.discovery6 import describe, find
from portmap_upnp.location6 import Location6, parse_url6
from portmap_upnp.search6 import Search6

T = TypeVar("T")

PATIENCE = 8.0  # seconds for one hook, search included: the core gives it 15
CLOSING_LEASE = 1  # second: the lease of a pinhole that is about to be deleted, should that fail
_NO_TALK = (NoGateway, GatewayTimeout, Garbled)
_log = logging.getLogger("portmap.upnp")


class UpnpPinholes:
    """Pinholes by WANIPv6FirewallControl:1. `location`: a description to use instead of searching; `here` tells our
    own global address; `patience`: seconds for one hook.
    """

    kind: ClassVar[Kind] = Kind.LOOP
    ipv6: ClassVar[bool] = True

    def __init__(
        self,
        location: Location6 | None = None,
        *,
        search: Search6 | None = None,
        here: Callable[[], IPv6Address | None] = global_ipv6_address,
        patience: float = PATIENCE,
    ) -> None:
        self._location = location
        self._search = search or Search6()
        self._here = here
        self._patience = patience
        self._control: Location6 | None = None  # whom we talk to; None: to be found
        self._known = location  # whom we talked to last: the name, for people

    @classmethod
    def from_argument(cls, argument: str | None) -> "UpnpPinholes":
        """From what follows `upnp:`: nothing, or the URL of a description by IPv6. Raises SpecError."""
        if argument is None:
            return cls()
        try:
            return cls(parse_url6(argument))
        except Garbled as error:
            raise SpecError(
                f"upnp: {error}; for IPv6 write upnp, or upnp:http://[fe80::1%eth0]:5000/desc.xml"
            ) from error

    def __str__(self) -> str:
        return f"UPnP IPv6 firewall {self._known.host}" if self._known else "UPnP IPv6 firewall"

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
            firewall.add(protocol, internal_port, lease)
            return Grant(internal_port, lease, firewall.us)

        return self._do(add)

    @hookimpl
    def delete_mapping(self, protocol: Protocol, external_port: int, internal_port: int) -> None:
        """Shut the pinhole to our own port."""
        request = PortRequest(protocol, internal_port, external_port)

        def delete(firewall: FirewallControl) -> None:
            firewall.delete(firewall.add(protocol, request.internal_port, CLOSING_LEASE))

        self._do(delete)

    def _do(self, work: Callable[[FirewallControl], T]) -> T:
        """Do it with the gateway; if the one that we know cannot be talked to, find it anew and do it there."""
        us, deadline = self._us(), time.monotonic() + self._patience
        if self._control is not None:
            try:
                return work(FirewallControl(self._control, us, deadline))
            except _NO_TALK as error:
                _log.info("%s is looked for anew: %s", self, error)
                self._control = None
        control = self._find(us, deadline)
        try:
            answer = work(FirewallControl(control, us, deadline))
        except Refused:  # talk that worked
            self._control = self._known = control
            raise
        self._control = self._known = control
        return answer

    def _us(self) -> IPv6Address:
        us = self._here()
        if us is None:
            raise NoGateway("this host has no global IPv6 address, so there is nothing to open; see your router's IPv6")
        return us

    def _find(self, us: IPv6Address, deadline: float) -> Location6:
        if self._location is not None:
            return describe(self._location, us, deadline)
        return find(self._search, us, deadline)
