"""WANIPv6FirewallControl:1: typed actions over SOAP.

Raises portmap errors only. A call comes from the very address that shall be opened, or the gateway refuses it
(§2.5.3); the kernel might choose another one.
"""

import logging
import re
from ipaddress import IPv6Address
from typing import NamedTuple

from portmap.errors import Garbled, NotAuthorized, OutOfResources, Refused
from portmap.model import Protocol
from portmap_upnp.control.soap import Unreadable
from portmap_upnp.control.soap_client import SoapClient
from portmap_upnp.control.wan_connection import OFF, ON

LONGEST_LEASE = 86400  # seconds: §2.3.3
NUMBERS = {Protocol.TCP: 6, Protocol.UDP: 17}  # IANA's
FIREWALL_OFF, NOT_ALLOWED = 702, 703  # §2.6
_FORBIDDEN = (NotAuthorized, "it forbids this host to open itself, or this port; allow it in its settings")
_MEANING: dict[int, tuple[type[Refused], str]] = {
    403: _FORBIDDEN,  # FRITZ!Box: fritzconnection#161
    606: _FORBIDDEN,
    701: (OutOfResources, "it has no room for another pinhole; delete some in its settings or restart it"),
    FIREWALL_OFF: (Refused, "its IPv6 firewall is off, so that there is nothing to open"),
    NOT_ALLOWED: (NotAuthorized, "it allows no inbound pinholes; allow them in its settings"),
}
_log = logging.getLogger("portmap.upnp")
_UNIQUE_ID = re.compile(r"[0-9]{1,5}")  # ui2: §2.3.5


class FirewallStatus(NamedTuple):
    """GetFirewallStatus (§2.5.1): whether there is anything to open, and whether that is allowed."""

    enabled: bool
    allowed: bool


class FirewallControl:
    """The typed actions, through `soap`, which calls from our address `us`."""

    def __init__(self, soap: SoapClient, us: IPv6Address) -> None:
        self.soap = soap
        self.us = us

    def status(self) -> FirewallStatus:
        """Whether the firewall is on, and whether pinholes are allowed."""
        values = self._call("GetFirewallStatus")
        return FirewallStatus(_is_on(values, "FirewallEnabled"), _is_on(values, "InboundPinholeAllowed"))

    def add(self, protocol: Protocol, port: int, lease: int) -> str:
        """Open a pinhole from everywhere to our port, or renew it, for `lease` seconds; its UniqueID, "" for none."""
        values = self._call(
            "AddPinhole",
            RemoteHost="",
            RemotePort=0,
            InternalClient=self.us,
            InternalPort=port,
            Protocol=NUMBERS[protocol],
            LeaseTime=lease,
        )
        unique_id = values.get("UniqueID", "")
        if not _UNIQUE_ID.fullmatch(unique_id):
            _log.debug("%s opened a pinhole under the invalid id %r", self.soap.control.host, unique_id[:40])
            return ""
        return unique_id

    def delete(self, unique_id: str) -> None:
        """Close a pinhole. A yes by its HTTP status counts, even if the rest cannot be read."""
        try:
            self._call("DeletePinhole", UniqueID=unique_id)
        except Unreadable as error:
            _log.debug("pinhole %s is closed, by the status of the answer: %s", unique_id, error)

    def _call(self, action: str, **arguments: object) -> dict[str, str]:
        try:
            return self.soap.call(action, **arguments)
        except Refused as refusal:
            raise in_firewall_words(action, refusal) from refusal


def in_firewall_words(action: str, refusal: Refused) -> Refused:
    """The same refusal with what its number means for this service (§2.6)."""
    if refusal.code not in _MEANING:
        return refusal
    kind, meaning = _MEANING[refusal.code]
    words = f" {refusal.text}" if refusal.text else ""
    return kind(
        f"the gateway refused {action}: {meaning} (UPnP {refusal.code}{words})", code=refusal.code, text=refusal.text
    )


def _is_on(values: dict[str, str], name: str) -> bool:
    """A boolean. Raises Garbled where it is missing or none."""
    if (word := values.get(name, "").lower()) in ON + OFF:
        return word in ON
    raise Garbled(f"the gateway's firewall does not say whether {name}: {values.get(name, '')[:40]!r}")
