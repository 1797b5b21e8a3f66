"""Asks a PCP server for its external address in NAT-PMP, at each check.

The answer has an epoch, too. Where it is the same address and the epoch goes on, the server has kept its state, and
needs not be asked by PCP: a check is one packet.
"""

import logging
from ipaddress import IPv4Address
from typing import NamedTuple

from portmap.errors import NATError
from portmap.model import Address
from portmap.wire import TimedAnswer, Timeouts, exchange
from portmap_pcp.epoch import Epoch
from portmap_pcp.natpmp_address import UNKNOWN, AddressQuestion, StatedAddress
from portmap_pcp.settings import Settings

log = logging.getLogger("portmap.pcp")

# The server has just answered: three packets are enough to know.
_TIMEOUTS = Timeouts(first_wait=0.25, deadline=0.75, longest_wait=0.25)


class _Statement(NamedTuple):
    """What a server stated, and the epoch of that answer."""

    server: IPv4Address
    address: IPv4Address
    epoch: Epoch


class StatedAddresses:
    """Remembers what one server last stated. One that never answered is not asked again, until `recheck`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._last: _Statement | None = None
        self._lasts = False  # whether nothing has happened since that answer
        self._silent: IPv4Address | None = None

    def unchanged(self, server: IPv4Address) -> IPv4Address | None:
        """The address, where the server states it again and has kept its state; None where PCP has to be asked."""
        last = self._last
        if last is None or last.server != server or not self._lasts:
            return None
        again = _statement(server, self._ask_once(server))
        self._lasts = again is not None and again.address == last.address and last.epoch.is_continued_by(again.epoch)
        if not self._lasts:
            return None
        self._last = again
        return last.address

    def ask(self, server: IPv4Address, granted: Address | None) -> StatedAddress:
        """What the server states; `granted` is the address that it last granted by PCP.

        A changed address is asked for twice, from another port each time: another host can guess one port, and answer
        before a slow server does. What is not confirmed counts as not known.
        """
        if server == self._silent:
            return UNKNOWN
        timed = self._ask_once(server)
        stated = timed.answer
        last = self._last.address if self._last and self._last.server == server else granted
        if stated.external_ip not in (None, last) and last is not None:
            timed = self._ask_once(server)
            again = timed.answer
            if again.external_ip not in (stated.external_ip, last):
                log.info("%s stated %s, then %s: neither is taken", server, stated.external_ip, again.external_ip)
                return UNKNOWN
            stated = again
        if (statement := _statement(server, timed)) is not None:
            self._last, self._lasts = statement, True
        return stated

    def recheck(self) -> None:
        """The server may be another one by now; from any thread."""
        self._silent, self._lasts = None, False

    def _ask_once(self, server: IPv4Address) -> TimedAnswer[StatedAddress]:
        peer = str(server), self._settings.port
        asked_at = self._settings.clock()
        try:
            answer = exchange(
                peer,
                AddressQuestion(),
                _TIMEOUTS,
                self._settings.clock,
                speaks="NAT-PMP",
                interface=self._settings.interface,
            )
        except NATError as error:
            log.debug("%s states no address in NAT-PMP: %s", server, error)
            if self._last is None or self._last.server != server:
                self._silent = server
            answer = UNKNOWN
        return TimedAnswer(answer, asked_at, self._settings.clock())


def _statement(server: IPv4Address, timed: TimedAnswer[StatedAddress]) -> _Statement | None:
    """What was stated; None where that is no address."""
    address, _, epoch = timed.answer
    return None if address is None else _Statement(server, address, Epoch(epoch, timed.asked_at, timed.heard_at))
