"""Talks with a gateway: found when it is needed, found anew as soon as talk with it fails.

Law: a gateway's control port changes with every restart, so what is known of it is dropped at the first failure and it
is looked for again, within the same call if there is time, once. A refusal is talk that worked. No failure is
remembered. All of this belongs to the hooks' thread; the watch's reads `contact` and leaves what it found in `heard`.
"""

import logging
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from math import inf
from queue import Empty, SimpleQueue
from typing import TypeVar

from portmap.errors import Garbled, GatewayTimeout, NATError, NoGateway
from portmap.network.routes import local_address_to
from portmap_upnp.contact import Contact
from portmap_upnp.control.wan_connection import UP, WanConnection
from portmap_upnp.discovery.description import GatewayDevice, Service
from portmap_upnp.discovery.discover import discover, fetch_device
from portmap_upnp.discovery.search import Search
from portmap_upnp.location import Location

T = TypeVar("T")

ROUND = 1.0  # seconds between two alerts
_NO_TALK = (NoGateway, GatewayTimeout, Garbled)
_log = logging.getLogger("portmap.upnp")


class GatewaySession:
    """One gateway at a time. `location`: its description, instead of searching; `patience`: seconds for one talk.

    `turned` is called when the contact is another one, `tell` with the reason when the gateway may have forgotten us
    and nobody but us has noticed, as when it was found anew within one talk.
    """

    def __init__(self, location: Location | None, search: Search, patience: float) -> None:
        self._location = location
        self._search = search
        self._patience = patience
        self._rather_not: Location | None = None  # the gateway that was passed over last
        self.hint: Location | None = None  # where to look at once, the next time that somebody is looked for
        self._igd: WanConnection | None = None
        self._hang_up: Callable[[], object] = _nothing
        self.gateway: GatewayDevice | None = None  # the last one found: its name, for people
        self.contact: Contact | None = None  # whom we talk to; None: to be found
        self.updates: SimpleQueue[GatewayDevice | None] = (
            SimpleQueue()
        )  # a gateway that described itself; None: it is gone
        self.on_change: Callable[[], None] = _nothing
        self.on_alert: Callable[[str], None] | None = None
        self._told_at = -inf

    def __str__(self) -> str:
        if self.gateway:
            return str(self.gateway)
        return f"UPnP {self._location.host}" if self._location else "UPnP"

    def run(self, work: Callable[[WanConnection, Contact], T]) -> T:
        """Do it with the gateway; if that cannot be talked to, find it anew and do it there.

        Raises what `work` raises, NoGateway, GatewayTimeout and Garbled.
        """
        deadline = time.monotonic() + self._patience
        self._take_in_what_was_heard()
        before = self.contact
        try:
            return self._attempt(work, deadline)
        except _NO_TALK as error:
            if before is None:  # it was just looked for
                raise
            _log.info("%s is looked for anew: %s", self, error)
            first = error
        try:
            return self._attempt(work, deadline)
        except _NO_TALK as error:
            # A timeout may have had an effect all the same: core must know.
            raise (error if isinstance(error, GatewayTimeout) else first) from error
        finally:
            self._tell_if_moved(before, first)

    def alert(self, reason: str) -> None:
        """Tell it, unless the round is still under way to which the last such alert has led."""
        now = time.monotonic()
        if self.on_alert and now >= self._told_at + ROUND:
            self._told_at = now
            self.on_alert(reason)

    def be_quiet(self) -> None:
        """Nobody wants to be told any more."""
        self.on_change, self.on_alert = _nothing, None

    def forget(self) -> None:
        """Look for a gateway the next time."""
        self._turn_to(None)

    def avoid_current(self) -> bool:
        """Look for a gateway the next time, and rather for another one. Whether this one was not passed over before."""
        location = self.contact.gateway.location if self.contact else None
        is_new = self._location is None and location != self._rather_not
        self._rather_not = location
        self.forget()
        return is_new

    def accept_current(self) -> None:
        """The gateway will do after all, if it was passed over."""
        if self.contact and self.contact.gateway.location == self._rather_not:
            self._rather_not = None

    def _attempt(self, work: Callable[[WanConnection, Contact], T], deadline: float) -> T:
        try:
            contact = self._reach(deadline)
            return work(self._open(contact).until(deadline), contact)
        except _NO_TALK:
            self._turn_to(None)
            raise

    def _reach(self, deadline: float) -> Contact:
        """The contact, found if need be, with our address as it is now."""
        contact = self.contact
        if contact is None:
            gateway = self._find(deadline)
            contact = _contact(gateway, deadline)
            self._turn_to(contact)
        elif (us := local_address_to(contact.gateway.host)) != contact.us:
            contact = Contact(contact.gateway, contact.service, us)
            self._turn_to(contact)
        return contact

    def _find(self, deadline: float) -> GatewayDevice:
        if self._location is None:
            hinted, self.hint = self.hint, None
            return discover(self._search, deadline, self._rather_not, hinted)
        try:
            return fetch_device(self._location, max(0.0, deadline - time.monotonic()))
        except _NO_TALK:
            if self.gateway is None:  # it never was there: say so, do not look for another one
                raise
        return discover(self._search.at(self._location.host), deadline)

    def _turn_to(self, contact: Contact | None) -> None:
        self._hang_up()
        self._igd, self._hang_up = None, _nothing
        self.contact = contact
        if contact:
            self.gateway = contact.gateway
        self.on_change()

    def _open(self, contact: Contact) -> WanConnection:
        """The talk with the contact, which stays open, as long as we live: beginning anew costs as much as a call."""
        if self._igd is None:
            igd = WanConnection(contact.service, time.monotonic() + self._patience)
            igd.__enter__()
            self._igd = igd
            hang_up = weakref.finalize(self, igd.__exit__)
            hang_up.atexit = False
            self._hang_up = hang_up
        return self._igd

    def _take_in_what_was_heard(self) -> None:
        with suppress(Empty):
            while True:
                gateway = self.updates.get_nowait()
                try:
                    self._turn_to(_contact(gateway, time.monotonic() + self._patience / 2) if gateway else None)
                except NoGateway as error:
                    _log.debug("%s announced itself, but: %s", gateway, error)

    def _tell_if_moved(self, before: Contact, error: NATError) -> None:
        now = self.contact
        if now and (now.service.control != before.service.control or isinstance(error, NoGateway)):
            self.alert(f"{self} was gone ({error}) and is found again at port {now.service.control.port}")


def _contact(gateway: GatewayDevice, deadline: float) -> Contact:
    """The gateway with that service whose WAN side is up, where it has several (some list a dead one first)."""
    us = local_address_to(gateway.host)
    services = gateway.services
    if len(services) == 1:
        return Contact(gateway, services[0], us)
    up = (service for service in services if _answers_up(service, deadline))
    return Contact(gateway, next(up, services[0]), us)


def _answers_up(service: Service, deadline: float) -> bool:
    try:
        with WanConnection(service, deadline) as igd:
            return igd.status().connection in UP
    except NATError as error:
        _log.debug("%s passed over: %s", service.control, error)
        return False


def _nothing() -> None:
    """Nobody has to be told, or nothing is open."""
