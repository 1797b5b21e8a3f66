"""FirewallWatch: a thread that receives SSDP NOTIFY by IPv6, and alerts when the IPv6 firewall has restarted.

An announcement is a reason to look, and hostile until the gateway has shown it. It counts where a default gateway, or
the firewall itself, announces another BOOTID, or where the firewall is no longer where we knew it. Bounded: one look
and one alert a second, and ever fewer where they come in a row. A daemon announces each of its services, several times:
what the firewall or a default gateway repeats is not looked at, what another host repeats once.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from portmap.errors import Garbled, NATError
from portmap.model import Address
from portmap.wire.multicast import (
    interface_towards,
    join_group,
    open_multicast_socket,
    read_datagrams,
    with_numeric_zone,
)
from portmap.wire.waiter import Waiter, WaiterClosed
from portmap_upnp.discovery import ssdp
from portmap_upnp.discovery.description import FirewallDevice
from portmap_upnp.discovery.ssdp import Advertisement, AdvertisementKind, parse_advertisement
from portmap_upnp.location import Location

Fetch = Callable[[FirewallDevice, Waiter], object]
"""Fetches the firewall's description again. Raises NATError."""

REST = 0.8  # seconds between two looks, or two alerts, at first: a restart in that time is still mended within a second
LONGEST_REST = 60.0  # seconds between two looks that found nothing new, or two alerts, in a row
CLOSING = 0.18  # seconds; core waits 0.2
_REMEMBERED = 16  # announcements after which the firewall was unchanged; a router has a few for each of its addresses
_JOIN_AGAIN = 10.0  # seconds until the default gateways are read again: there may be a new one
_log = logging.getLogger("portmap.upnp")


class FirewallWatch:
    """Watches from the moment it is made until `close`. `device` is the firewall in use, `alert` the core's.

    `interface`: what comes by another one is not received; None: the routing table decides.
    """

    def __init__(
        self,
        device: Callable[[], FirewallDevice | None],
        gateways: Callable[[], Sequence[Address]],
        fetch: Fetch,
        alert: Callable[[str], None],
        interface: str | None = None,
    ) -> None:
        self._device = device
        self._gateways = gateways
        self._fetch = fetch
        self._alert = alert
        self._waiter = Waiter()
        self._interface = interface
        self._socket = open_multicast_socket(ssdp.ADDRESS6, ssdp.PORT, interface)
        self._joined: set[Address | int] = set()
        self._known: FirewallDevice | None = None  # the one that `_boot` is of
        self._boot = ""
        self._unchanged: set[tuple[Address, Advertisement]] = set()  # announcements while `_known` was in use
        self._rest = REST
        self._alerted_at = self._in_vain_at = -2 * LONGEST_REST
        self._thread = threading.Thread(target=self._run, name="upnp firewall watch", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """The firewall has been found."""
        self._waiter.wake()

    def close(self) -> None:
        """End the thread, which closes what it holds. A second time does nothing."""
        self._waiter.close()
        if self._thread is not threading.current_thread():
            self._thread.join(CLOSING)

    def _run(self) -> None:
        with self._waiter:
            try:
                with suppress(WaiterClosed):
                    while self._socket is not None:
                        self._join()
                        if self._waiter.wait((self._socket,), _JOIN_AGAIN):
                            self._read()
            finally:
                if self._socket is not None:
                    self._socket.close()

    def _join(self) -> None:
        """Join the group on the links of the default gateways."""
        towards = (interface_towards(gateway, self._interface) for gateway in self._gateways())
        links = {link for link in towards if link is not None}
        for link in links - self._joined:
            if self._socket is not None:
                join_group(self._socket, ssdp.ADDRESS6, link)
        self._joined |= links

    def _read(self) -> None:
        """Judge what has come, until one announcement was worth a look."""
        for sender, datagram in read_datagrams(self._socket) if self._socket else ():
            try:
                notice = parse_advertisement(datagram)
            except Garbled:
                continue
            device = self._device()
            if notice.says is AdvertisementKind.ALIVE and self._judge(sender, notice, device):
                self._rest_after(device)
                return

    def _rest_after(self, device: FirewallDevice | None) -> None:
        """Let time pass until the next look; it ends when the firewall is found, whose announcements are news."""
        self._waiter.pause(self._rest, lambda: device is None and self._device() is not None)

    def _judge(self, sender: Address, notice: Advertisement, device: FirewallDevice | None) -> bool:
        """Whether the announcement was worth a look. `device`: the firewall in use."""
        expected = {with_numeric_zone(gateway) for gateway in self._gateways()}
        if device is None:
            if sender in expected:
                self._tell(f"{sender} announced itself")
            return sender in expected
        if device is not self._known:
            self._known, self._boot = device, device.boot
            self._unchanged.clear()
        is_expected = sender in expected | {with_numeric_zone(device.host)}
        if is_expected and notice.boot and self._boot and notice.boot != self._boot:
            before, self._boot = self._boot, notice.boot
            self._tell(f"{sender} restarted: BOOTID {before} → {notice.boot}")
            return True
        if is_expected and notice.boot:
            is_repetition = notice.boot == self._boot and _names(notice, device.location)
            self._boot = notice.boot
            if is_repetition:
                return False
        if not sender.is_link_local or (sender, notice) in self._unchanged:
            return False
        if self._is_there(device):
            self._looked_in_vain()
            if len(self._unchanged) < _REMEMBERED:
                self._unchanged.add((sender, notice))
        else:
            self._tell(f"{sender} announced itself, and the IPv6 firewall is no longer at {device.location}")
        return True

    def _is_there(self, device: FirewallDevice) -> bool:
        try:
            self._fetch(device, self._waiter)
        except NATError as error:
            _log.debug("the IPv6 firewall is not where it was: %s", error)
            return False
        return True

    def _looked_in_vain(self) -> None:
        """Any host of the link can send such an announcement: each is heeded later than the one before."""
        is_in_a_row = time.monotonic() - self._in_vain_at < 2 * LONGEST_REST
        self._rest = min(2 * self._rest, LONGEST_REST) if is_in_a_row else REST
        self._in_vain_at = time.monotonic()

    def _tell(self, reason: str) -> None:
        in_a_row = time.monotonic() - self._alerted_at < LONGEST_REST
        self._rest = min(2 * self._rest, LONGEST_REST) if in_a_row else REST
        self._alerted_at = time.monotonic()
        self._alert(reason)


def _names(notice: Advertisement, location: Location) -> bool:
    """Whether it names the same port and path: a gateway has several addresses."""
    return notice.location.endswith(f":{location.port}{location.path}")
