"""WanState: what a WAN service says of its connection and its external address, and which service is better.

Raises nothing for a service that fails: the failure is part of the state.
"""

import logging
from ipaddress import AddressValueError, IPv4Address
from typing import NamedTuple

from portmap.errors import NATError
from portmap.model import Scope, scope_of
from portmap_upnp.control.wan_connection import WanActions, WanStatus

_log = logging.getLogger("portmap.upnp")


class WanState(NamedTuple):
    """`status` None: not told; `address` None: none, or none that makes sense."""

    status: WanStatus | None
    address: IPv4Address | None

    @property
    def rank(self) -> int:
        """The higher, the better: connected with a public address, with any address, without; then an address alone.

        Some routers say "Disconnected" for ever and map all the same (TP-Link Archer C54, miniupnp#634).
        """
        is_public = scope_of(self.address) is Scope.PUBLIC
        if self.status is None or not self.status.is_up:
            return 1 if is_public else 0
        if is_public:
            return 4
        return 2 if self.address is None else 3

    @property
    def is_best(self) -> bool:
        """Whether no other service can be better."""
        return self.rank == 4


def read_state(wan: WanActions) -> WanState:
    """Ask the service for both; a failure of one is no failure of the other."""
    return WanState(_status(wan), _address(wan))


def parse_address(text: str) -> IPv4Address | None:
    """The address in the gateway's text; None where it states none. Raises ValueError for nonsense."""
    stated = text.partition("/")[0].strip()  # some add a prefix length
    address = IPv4Address(stated or "0.0.0.0")  # noqa: S104  # no address to bind to: "none yet", as some write it
    return None if address.is_unspecified else address


def _status(wan: WanActions) -> WanStatus | None:
    try:
        return wan.status()
    except NATError as error:
        _log.debug("no status: %s", error)
        return None


def _address(wan: WanActions) -> IPv4Address | None:
    try:
        return parse_address(wan.external_ip())
    except (NATError, AddressValueError) as error:
        _log.debug("no external address: %s", error)
        return None
