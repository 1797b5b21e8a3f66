"""The external address of a WAN service: read, or told why there is none.

Raises portmap errors only.
"""

import logging
from ipaddress import AddressValueError, IPv4Address

from portmap.errors import Garbled, NoPublicAddress, Refused, UnverifiedGateway
from portmap_upnp.control.soap import ActionMissing
from portmap_upnp.control.upnp_errors import ACTION_FAILED
from portmap_upnp.control.wan_connection import WanActions, WanStatus
from portmap_upnp.control.wan_state import parse_address

DOUBLE_NAT = (
    "double NAT: the gateway is connected, but states no public address; most likely its own is private or shared "
    "(CGNAT), so another NAT is in front of it"
)
_log = logging.getLogger("portmap.upnp")


class WanDown(Refused):
    """The gateway is of no use now; another one may be."""


class FormerDefault(WanDown, UnverifiedGateway):
    """The gateway was the default one when it was found, and is none now."""


class _NoneStated(Refused):
    """The gateway answers with an empty address, or 0.0.0.0."""


def read_status(wan: WanActions) -> WanStatus | None:
    """The WAN side's status; None where the gateway does not tell."""
    try:
        return wan.status()
    except (Refused, Garbled, ActionMissing) as error:
        _log.debug("the gateway does not tell its status: %s", error)
        return None


def parse_external_ip(text: str) -> IPv4Address:
    """The address that a gateway states. Raises Refused where it states none, or nonsense."""
    try:
        address = parse_address(text)
    except AddressValueError as error:
        raise Refused(f"the gateway states {text[:40]!r} as its external address", text=text[:40]) from error
    if address is None:
        raise _NoneStated("the gateway has no external address; is its line to the Internet up?")
    return address


def states_none(error: Refused) -> bool:
    """Whether it is as miniupnpd 2.3 does on a private WAN: an empty address, or 501."""
    return isinstance(error, _NoneStated) or error.code == ACTION_FAILED


def check_has_public_address(wan: WanActions, refusal: Refused) -> None:
    """Raises NoPublicAddress where a gateway that is connected fails at everything for want of a public address."""
    status = read_status(wan)
    if status is None or not status.is_up:
        return
    try:
        parse_external_ip(wan.external_ip())
    except Refused as error:
        if states_none(error):
            raise NoPublicAddress(DOUBLE_NAT, code=error.code, text=error.text) from refusal
