"""Asks a PCP server for its external address in NAT-PMP, at each check."""

import logging
from ipaddress import IPv4Address

from portmap.errors import NATError
from portmap.model import Address
from portmap.wire import Timeouts, exchange
from portmap_pcp.natpmp_address import UNKNOWN, AddressQuestion, StatedAddress
from portmap_pcp.settings import Settings

log = logging.getLogger("portmap.pcp")

_TIMEOUTS = Timeouts(first_wait=0.25, deadline=0.75)  # the server has just answered: three packets are enough to know


class StatedAddresses:
    """Remembers what one server last stated. One that never answered is not asked again, until `recheck`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._last: tuple[IPv4Address, Address] | None = None
        self._silent: IPv4Address | None = None

    def ask(self, server: IPv4Address, granted: Address | None) -> StatedAddress:
        """What the server states; `granted` is the address that it last granted by PCP.

        A changed address is asked for twice, from another port each time: another host can guess one port, and answer
        before a slow server does. What is not confirmed counts as not known.
        """
        if server == self._silent:
            return UNKNOWN
        stated = self._ask_once(server)
        last = self._last[1] if self._last and self._last[0] == server else granted
        if stated.external_ip not in (None, last) and last is not None:
            again = self._ask_once(server)
            if again.external_ip not in (stated.external_ip, last):
                log.info("%s stated %s, then %s: neither is taken", server, stated.external_ip, again.external_ip)
                return UNKNOWN
            stated = again
        if stated.external_ip is not None:
            self._last = server, stated.external_ip
        return stated

    def recheck(self) -> None:
        """The server may be another one by now; from any thread."""
        self._silent = None

    def _ask_once(self, server: IPv4Address) -> StatedAddress:
        peer = str(server), self._settings.port
        try:
            return exchange(
                peer,
                AddressQuestion(),
                _TIMEOUTS,
                self._settings.clock,
                speaks="NAT-PMP",
                interface=self._settings.interface,
            )
        except NATError as error:
            log.debug("%s states no address in NAT-PMP: %s", server, error)
            if self._last is None or self._last[0] != server:
                self._silent = server
            return UNKNOWN
