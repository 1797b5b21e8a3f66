"""GatewayWatch: a thread that receives what the gateway says unasked, confirms it, and alerts.

A signal (SSDP NOTIFY, a GENA event) is a reason to ask, and hostile until the gateway has confirmed it: a flood leads
to one question and one alert a second, and to fewer where nothing has changed. The thread of the hooks owns the active
gateway, which is only read here; what is found goes back through `adopt`. There is no lock.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from ipaddress import IPv4Address
from math import inf
from typing import TypeAlias

from portmap.errors import Garbled, NATError
from portmap.model import Address
from portmap.wire.waiter import Waiter, WaiterClosed
from portmap_upnp.control.soap_client import SoapClient
from portmap_upnp.control.wan_connection import WanConnection
from portmap_upnp.discovery.description import GatewayDevice
from portmap_upnp.discovery.discover import fetch_device
from portmap_upnp.discovery.ssdp import Advertisement, AdvertisementKind
from portmap_upnp.gateway_session import ActiveGateway
from portmap_upnp.location import Location, parse_location
from portmap_upnp.mapping.port_forward import PortForward
from portmap_upnp.notifications.advertisements import AdvertisementReceiver, Peer
from portmap_upnp.notifications.subscription import EventSubscription

Adopt: TypeAlias = Callable[[GatewayDevice | None], None]
"""Takes a gateway that has just described itself, or None: the one we knew is gone."""

REST = 1.0  # seconds between two questions, and between two alerts
LONGEST_REST = 60.0  # seconds between two questions that found nothing changed, as for a forged announcement
CLOSING = 0.18  # seconds; core waits 0.2
_TIMEOUT = 1.0  # seconds for the answer to a question: after a restart a gateway answers at once, or the search does it
_LEAVING = 0.2  # seconds from a goodbye until the gateway should be gone
_MOMENT = 0.01  # seconds of rest after a read that brought nothing: datagrams come in groups
_NONSENSE = 0.1  # seconds after another such read: a flood of nonsense must not keep us busy
_ALIASES = 8  # further LOCATIONs of one gateway that we remember; FRITZ!Boxes have two
_log = logging.getLogger("portmap.upnp")


class GatewayWatch:
    """Watches from the moment it is made until `close`. `candidates` are listened to while there is no contact.

    `tell` is the core's alert, `where` the (group, port) for announcements, `sample` an entry of ours that the gateway
    has shown, `stated` the external address that it last gave when it was asked. `interface`: what comes by another one
    is not received; None: as the routes say.
    """

    def __init__(
        self,
        contact: Callable[[], ActiveGateway | None],
        candidates: Callable[[], Sequence[Address]],
        adopt: Adopt,
        tell: Callable[[str], None],
        where: Peer,
        sample: "Callable[[], PortForward | None]" = lambda: None,
        stated: "Callable[[], IPv4Address | None]" = lambda: None,
        interface: str | None = None,
    ) -> None:
        self._interface = interface
        self._sample = sample
        self._contact = contact
        self._candidates = candidates
        self._adopt = adopt
        self._tell = tell
        self._waiter = Waiter()
        self._advertisements = AdvertisementReceiver(where, interface)
        self._events = EventSubscription(self._waiter, stated)
        self._followed: ActiveGateway | None = None
        self._gateway: GatewayDevice | None = None  # the contact's gateway, or what it has become since
        self._gone: GatewayDevice | None = None  # that has said goodbye: it says so for each of its services
        self._aliases: set[Location] = set()
        self._told_without_contact: set[tuple[Location, str]] = set()  # of a gateway that is not used: no news twice
        self._told_at = self._looked_at = self._unchanged_at = -LONGEST_REST
        self._heeds_goodbyes_at = -inf
        self._rest = REST
        self._in_vain_at = -inf  # when a question last found nothing new
        self._thread = threading.Thread(target=self._run, name="upnp watch", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """The hooks are in contact with another gateway now."""
        self._waiter.wake()

    def close(self) -> None:
        """End the thread, which closes what it holds. A second time does nothing."""
        self._waiter.close()
        if self._thread is not threading.current_thread():  # as when an alert leads to the end of the watch
            self._thread.join(CLOSING)

    def _run(self) -> None:
        with self._waiter:
            try:
                with suppress(WaiterClosed):
                    for candidate in self._candidates():
                        self._advertisements.join_towards(candidate)
                    while True:
                        self._wait_and_handle()
            finally:
                self._advertisements.close()
                self._events.close()

    def _wait_and_handle(self) -> None:
        """Wait for an announcement, an event or a time that is due, and handle it."""
        self._follow_contact()
        if time.monotonic() >= self._events.due:
            self._alert(self._events.renew())
        sockets = [self._advertisements.sock] if self._advertisements.sock else []
        now = time.monotonic()
        until = min(self._events.due, self._events.listen_at if self._events.listen_at > now else inf)
        ready = self._waiter.wait([*sockets, *self._events.sockets], max(0.0, until - now))
        if ready.intersection(self._events.sockets):
            self._alert(self._events.receive())
        if ready.intersection(sockets):
            self._listen()

    def _follow_contact(self) -> None:
        """Follow the gateway that the hooks are in contact with now."""
        contact = self._contact()
        if contact is self._followed:
            return
        if self._followed is None:  # what was told before there was a contact delays no alert of it, and no question
            self._told_at = -REST
            self._rest, self._in_vain_at = REST, -inf
        self._followed = contact
        self._told_without_contact.clear()
        if contact is not None:
            if self._gateway is None or contact.gateway.host != self._gateway.host:
                self._aliases.clear()
            self._gateway = contact.gateway
            self._advertisements.join_towards(contact.gateway.host)
            self._events.subscribe_to(contact)

    def _listen(self) -> None:
        self._follow_contact()  # a gateway may have been lost or found since the wait began
        expected = {self._gateway.host} if self._gateway else set()
        if self._followed is None:
            expected |= set(self._candidates())
        for sender, notice in self._advertisements.read(expected):
            if self._judge(sender, notice):
                self._rest_after_question()
                return
        quiet, self._looked_at = time.monotonic() - self._looked_at, time.monotonic()
        self._waiter.pause(_MOMENT if quiet > 2 * _NONSENSE else _NONSENSE)

    def _judge(self, sender: Address, notice: Advertisement) -> bool:
        """Handle an announcement of an expected sender. Returns whether the gateway was asked."""
        ours = self._gateway is not None and sender == self._gateway.host
        match notice.says:
            case AdvertisementKind.UPDATE if ours and self._gateway:
                self._gateway = self._gateway._replace(boot=notice.boot)
            case AdvertisementKind.BYEBYE if ours and self._gateway and self._followed:
                self._check_goodbye(self._gateway)
            case AdvertisementKind.ALIVE:
                return self._check_alive(sender, notice)
        return False

    def _check_goodbye(self, gateway: GatewayDevice) -> None:
        """No rest follows: the gateway may be back already, and what it announces must not wait."""
        if gateway is self._gone or time.monotonic() < self._heeds_goodbyes_at:
            return
        self._waiter.pause(_LEAVING)
        if self._describe(gateway.location):
            self._asked_in_vain()
            self._heeds_goodbyes_at = time.monotonic() + self._rest
            return
        self._gone = gateway
        self._adopt(None)
        self._alert(f"{gateway.host} said goodbye")

    def _check_alive(self, sender: Address, notice: Advertisement) -> bool:
        try:
            location = parse_location(notice.location, sender, interface=self._interface)
        except Garbled as error:
            _log.debug("announcement ignored: %s", error)
            return False
        if location.has_query and (self._gateway is None or location != self._gateway.location):
            _log.debug("announcement ignored: %s has a query, which any host of the network can forge", location)
            return False
        if self._followed is None and (location, notice.boot) in self._told_without_contact:
            return False
        reason = self._reason(sender, location, notice.boot)
        if reason == _UNSIGNED:
            return self._check_unsigned(sender)
        if not reason:
            return False
        had_contact = self._followed is not None
        gateway = None if reason == _ELSEWHERE and self._is_alias(location) else self._describe(location)
        if gateway is None:
            self._asked_in_vain()
        elif had_contact or not self._is_in_use(gateway, notice.boot):
            self._gateway = gateway._replace(boot=notice.boot)
            self._adopt(self._gateway)
            if self._followed is None and len(self._told_without_contact) < _ALIASES:
                self._told_without_contact.add((location, notice.boot))
            self._confirm(f"{sender} {reason}")
        return True

    def _is_in_use(self, gateway: GatewayDevice, boot: str) -> bool:
        """Whether the hooks have found it meanwhile: then what it announced before is no news."""
        self._follow_contact()
        found = self._followed.gateway if self._followed else None
        return found is not None and found.location == gateway.location and found.boot in ("", boot)

    def _confirm(self, reason: str) -> None:
        """Alert, unless the gateway still has a mapping of ours: then the rest doubles."""
        if self._has_our_entry():
            _log.debug("%s, and still has our mapping", reason)
            self._rest_longer()
            return
        self._rest = REST
        self._alert(reason)

    def _check_unsigned(self, sender: Address) -> bool:
        """An announcement that may be a repetition counts where the gateway forgot an entry that it has shown."""
        has_it = self._has_our_entry()
        if has_it is False:
            self._rest = REST
            self._alert(f"{sender} announced itself, and lists our mapping no more")
        elif has_it:
            self._rest_longer()
        return has_it is not None

    def _rest_longer(self) -> None:
        """The next question in a row comes later: nothing had changed."""
        now = time.monotonic()
        in_a_row = now - self._unchanged_at < 2 * LONGEST_REST
        self._rest, self._unchanged_at = min(2 * (self._rest if in_a_row else REST), LONGEST_REST), now

    def _has_our_entry(self) -> bool | None:
        """Whether the gateway that the hooks are in contact with lists an entry of ours; None where that is unknown."""
        contact, sample = self._followed, self._sample()
        if contact is None or sample is None:
            return None
        service = contact.service
        wan = WanConnection(SoapClient(service.service_type, service.control, time.monotonic() + _TIMEOUT))
        try:
            entry = wan.entry(*sample.key)
            if entry is None:
                wan.external_ip()  # raises where everything fails: then it says nothing of the entry
        except NATError as error:
            _log.debug("whether our entry is still there is not known: %s", error)
            return None
        return sample.is_in(entry)

    def _asked_in_vain(self) -> None:
        """Nothing has changed, so the announcement may be forged: of such, each is heeded later than the one before."""
        is_in_a_row = time.monotonic() - self._in_vain_at < 2 * LONGEST_REST
        self._rest = min(2 * self._rest, LONGEST_REST) if is_in_a_row else REST
        self._in_vain_at = time.monotonic()

    def _reason(self, sender: Address, location: Location, boot: str) -> str:
        """Why an announcement may mean that our mappings are gone; "" where it does not."""
        before = self._gateway
        if before is None or self._followed is None or before.host != sender:
            return "announced itself"
        if before.boot and boot and before.boot != boot:
            return f"restarted: BOOTID {before.boot} → {boot}"
        if boot and not before.boot:
            self._gateway = before._replace(boot=boot)
        if location != before.location and location not in self._aliases:
            return _ELSEWHERE
        return "" if boot else _UNSIGNED

    def _is_alias(self, location: Location) -> bool:
        """Whether the gateway is still where we knew it to be, too."""
        still_there = self._gateway is not None and self._describe(self._gateway.location) is not None
        if still_there and len(self._aliases) < _ALIASES:
            self._aliases.add(location)
        return still_there

    def _describe(self, location: Location) -> GatewayDevice | None:
        """Fetch the gateway's description; None if it gives none."""
        try:
            return fetch_device(location, _TIMEOUT, self._waiter)
        except NATError as error:
            _log.debug("announced, but not confirmed: %s", error)
            return None

    def _alert(self, reason: str) -> None:
        if reason:
            self._waiter.pause(self._told_at + REST - time.monotonic())
            self._told_at = time.monotonic()
            self._tell(reason)

    def _rest_after_question(self) -> None:
        """Let time pass until the next question; it ends with the first contact, whose announcements are news."""
        without_contact = self._followed is None
        self._waiter.pause(self._rest, lambda: without_contact and self._contact())


_ELSEWHERE = "announced that it is elsewhere now"
_UNSIGNED = "announced itself without a BOOTID"
