"""GatewaySession: the gateway in use, found again when calls fail.

A gateway's control port changes with every restart, so what is known of it is dropped at the first failed call and it
is searched for again, within the same call if there is time, once. A refusal (Refused) means that the gateway was
reached, so it is not searched for again. Where it does not know the action, or refuses whatever is asked, its
description is read again. No failure is remembered. All of this belongs to the thread of the hooks; the watch's thread
reads `active` and puts what it found into `updates`.
"""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from math import inf
from queue import Empty, SimpleQueue
from typing import TypeAlias, TypeVar

from portmap.errors import Garbled, GatewayTimeout, NATError, NoGateway, Refused
from portmap.model import Address, Protocol
from portmap.network.routes import local_address_to
from portmap_upnp.control.soap_client import CallPacing, SoapClient
from portmap_upnp.control.upnp_errors import INVALID_ACTION
from portmap_upnp.control.wan_connection import WanActions, WanConnection
from portmap_upnp.control.wan_state import WanState, read_state
from portmap_upnp.discovery.description import GatewayDevice, Service
from portmap_upnp.discovery.discover import DESCRIPTION_TIMEOUT, discover, fetch_device
from portmap_upnp.discovery.search import Search
from portmap_upnp.location import Location
from portmap_upnp.mapping.port_forward import PortForward

T = TypeVar("T")

ALERT_INTERVAL = 1.0  # seconds between two alerts
_UNREACHED = (NoGateway, GatewayTimeout, Garbled)
_log = logging.getLogger("portmap.upnp")


@dataclass(frozen=True, slots=True, eq=False)
class ActiveGateway:
    """A gateway that was found, the service of it that we use, and our own address on that side.

    Compared by identity: each time that a gateway is found is another one.
    """

    gateway: GatewayDevice
    service: Service
    us: IPv4Address
    pacing: CallPacing = field(default_factory=CallPacing)

    def forward(
        self, protocol: Protocol, external_port: int, internal_port: int, client: Address | None = None
    ) -> PortForward:
        """What shall lead to the client, None for this host. Raises Refused for one that is no IPv4 address."""
        host = self.us if client is None else client
        if not isinstance(host, IPv4Address):
            raise Refused(f"{self.gateway} maps to IPv4 addresses only, not to {host}")
        return PortForward(protocol, external_port, host, internal_port, to_us=host == self.us)


Connect: TypeAlias = Callable[[ActiveGateway, float], WanActions]
"""Makes the actions of the service in use, until a deadline (time.monotonic)."""


def connect_by_soap(active: ActiveGateway, deadline: float) -> WanConnection:
    """Our own SOAP client."""
    service = active.service
    return WanConnection(SoapClient(service.service_type, service.control, deadline, pacing=active.pacing))


class GatewaySession:
    """One gateway at a time. `location`: its description, instead of searching; `timeout`: seconds for one call.

    `on_change` is called when another gateway is in use, `on_alert` with the reason when the gateway may have forgotten
    our mappings and only this class has noticed, as when it was found again within one call.
    """

    def __init__(
        self, location: Location | None, search: Search, timeout: float, connect: Connect = connect_by_soap
    ) -> None:
        self._location = location
        self._search = search
        self._timeout = timeout
        self._connect = connect
        self._avoided: Location | None = None  # the gateway that was passed over last
        self._stranger: Address | None = None  # the device that was warned of
        self._default: Address | None = None  # the gateway in use, once a default route named it
        self.hint: Location | None = None  # where to look at once, at the next search
        self.gateway: GatewayDevice | None = None  # the last one found: its name, for people
        self.active: ActiveGateway | None = None  # the one in use; None: to be found
        self.updates: SimpleQueue[GatewayDevice | None] = SimpleQueue()  # a gateway that described itself; None: gone
        self.on_change: Callable[[], None] = _nothing
        self.on_alert: Callable[[str], None] | None = None
        self._alerted_at = -inf

    def __str__(self) -> str:
        if self.gateway:
            return str(self.gateway)
        return f"UPnP {self._location.host}" if self._location else "UPnP"

    def run(self, work: Callable[[WanActions, ActiveGateway], T], timeout: float | None = None) -> T:
        """Do it with the gateway, within `timeout`; if that cannot be reached, find it again and do it there.

        Raises what `work` raises, NoGateway, GatewayTimeout and Garbled.
        """
        deadline = time.monotonic() + (timeout or self._timeout)
        self._adopt_updates()
        before = self.active
        try:
            return self._attempt(work, deadline)
        except Refused as refusal:
            if before is None or refusal.code != INVALID_ACTION or not self.has_other_services():
                raise
            return self._attempt(work, deadline)
        except _UNREACHED as error:
            if before is None:  # it was just searched for
                raise
            _log.info("%s is looked for anew: %s", self, error)
            first = error
        try:
            return self._attempt(work, deadline)
        except _UNREACHED as error:
            # A timeout may have had an effect all the same: core must know.
            raise (error if isinstance(error, GatewayTimeout) else first) from error
        finally:
            self._alert_if_moved(before, first)

    def alert(self, reason: str) -> None:
        """Alert, unless the round to which the last alert has led is still under way."""
        now = time.monotonic()
        if self.on_alert and now >= self._alerted_at + ALERT_INTERVAL:
            self._alerted_at = now
            self.on_alert(reason)

    def be_quiet(self) -> None:
        """Call neither `on_change` nor `on_alert` any more."""
        self.on_change, self.on_alert = _nothing, None

    def avoid_current(self) -> bool:
        """Search at the next call, for another gateway if there is one. Whether this one was not avoided before."""
        location = self.active.gateway.location if self.active else None
        is_new = self._location is None and location != self._avoided
        self._avoided = location
        self._use(None)
        return is_new

    def accept_current(self) -> None:
        """The gateway in use will do, even if it was avoided."""
        self._avoided = None

    def is_no_default_gateway(self) -> bool:
        """Whether the gateway in use was found by search, at an address that no default route names."""
        if self._location is not None or self.active is None:
            return False
        host = self.active.gateway.host
        if host not in self._search.gateways():
            return True
        self._default = host
        return False

    def leave_former_default(self) -> bool:
        """Search anew where a default route named the gateway in use before, and none does now. Whether that is so."""
        former, self._default = self._default, None
        if self.active is None or self.active.gateway.host != former:
            return False
        self.alert(f"{self} is no default gateway any more, and is looked for anew")
        self._use(None)
        return True

    def has_other_services(self) -> bool:
        """Read the description of the gateway in use again. Whether its services are others now, or it is not there."""
        active = self.active
        if active is None:
            return False
        deadline = time.monotonic() + self._timeout / 2
        try:
            gateway = fetch_device(active.gateway.location, min(DESCRIPTION_TIMEOUT, self._timeout / 2))
            if gateway.services == active.gateway.services:
                return False
            found: ActiveGateway | None = self._activate(gateway, deadline)
        except _UNREACHED as error:
            _log.info("%s is looked for anew: %s", self, error)
            found = None
        self.alert(f"{self} no longer describes the services that it had")
        self._use(found)
        return True

    def choose_service(self, state: WanState) -> WanState:
        """Look for a better service of the gateway in use than the one with this state; the state of the best."""
        active = self.active
        if active is None or len(active.gateway.services) == 1 or state.is_best:
            return state
        service, best = self._best_service(active.gateway, active.us, time.monotonic() + self._timeout)
        if best.rank > state.rank and service != active.service:
            _log.info("%s is used now at %s: %s", self, service.control, best)
            self._use(ActiveGateway(active.gateway, service, active.us, active.pacing))
            return best
        return state

    def _attempt(self, work: Callable[[WanActions, ActiveGateway], T], deadline: float) -> T:
        try:
            active = self._reach(deadline)
            return work(self._connect(active, deadline), active)
        except _UNREACHED:
            self._use(None)
            raise

    def _reach(self, deadline: float) -> ActiveGateway:
        """The gateway in use, found if need be, with our address as it is now."""
        active = self.active
        if active is None:
            active = self._activate(self._find(deadline), deadline)
            self._use(active)
            self._warn_of_stranger(active.gateway)
        elif (us := _local_address(active.gateway)) != active.us:
            active = ActiveGateway(active.gateway, active.service, us, active.pacing)
            self._use(active)
        return active

    def _warn_of_stranger(self, gateway: GatewayDevice) -> None:
        """Say it once where another device than the default gateway is used."""
        if self.is_no_default_gateway() and gateway.host != self._stranger:
            _log.warning("%s is used, although no default route names it", gateway)
            self._stranger = gateway.host

    def _find(self, deadline: float) -> GatewayDevice:
        if self._location is None:
            hinted, self.hint = self.hint, None
            return discover(self._search, deadline, self._avoided, hinted)
        try:
            return fetch_device(self._location, max(0.0, deadline - time.monotonic()))
        except _UNREACHED:
            if self.gateway is None:  # it never was there: say so, do not search for another one
                raise
        return discover(self._search.at(self._location.host), deadline)

    def _use(self, active: ActiveGateway | None) -> None:
        self.active = active
        if active:
            self.gateway = active.gateway
        self.on_change()

    def _adopt_updates(self) -> None:
        with suppress(Empty):
            while True:
                gateway = self.updates.get_nowait()
                if self.active and gateway == self.active.gateway:
                    continue  # found by a search meanwhile
                try:
                    self._use(self._activate(gateway, time.monotonic() + self._timeout / 2) if gateway else None)
                except NoGateway as error:
                    _log.debug("%s announced itself, but: %s", gateway, error)

    def _alert_if_moved(self, before: ActiveGateway, error: NATError) -> None:
        now = self.active
        if now and (now.service.control != before.service.control or isinstance(error, NoGateway)):
            self.alert(f"{self} was gone ({error}) and is found again at port {now.service.control.port}")

    def _activate(self, gateway: GatewayDevice, deadline: float) -> ActiveGateway:
        """The gateway with its best service, where it has several (some list a dead one first)."""
        us = _local_address(gateway)
        if len(gateway.services) == 1:
            return ActiveGateway(gateway, gateway.services[0], us)
        return ActiveGateway(gateway, self._best_service(gateway, us, deadline)[0], us)

    def _best_service(self, gateway: GatewayDevice, us: IPv4Address, deadline: float) -> tuple[Service, WanState]:
        """The first service of the best state. Asks no further once a service is connected with a public address."""
        best: tuple[Service, WanState] | None = None
        for service in gateway.services:
            state = read_state(self._connect(ActiveGateway(gateway, service, us), deadline))
            _log.debug("%s: %s", service.control, state)
            if best is None or state.rank > best[1].rank:
                best = service, state
            if state.is_best:
                break
        if best is None:
            raise NoGateway(f"{gateway} has no service")
        return best


def _local_address(gateway: GatewayDevice) -> IPv4Address:
    if not isinstance(gateway.host, IPv4Address):
        raise NoGateway(f"{gateway} is not reached by IPv4")
    return local_address_to(gateway.host, gateway.location.interface)


def _nothing() -> None:
    """Nothing listens."""
