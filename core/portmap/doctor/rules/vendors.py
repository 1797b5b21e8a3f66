"""Where each vendor's settings allow port mapping, in the vendor's own words.

Keyed by a word of the vendor's or model's name in lower case, the special before the general. Only words that were seen
in a vendor's documents, a forum or a bug tracker are here; other routers get general words.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vendor:
    """How to allow a host to map ports, and where mapping as such is switched on; empty where not known."""

    allow: str = ""
    switch_on: str = ""


_FRITZ = "FRITZ!Box: Internet > Permit Access > Port Sharing > this device > "
_PROTON_SAYS = "ProtonVPN: take a P2P server; WireGuard: NAT-PMP on; OpenVPN: +pmp behind the user name"
_SENSE = "Services > UPnP & NAT-PMP"

MAKERS: dict[str, Vendor] = {
    # Open.NAT#80, ha-fritzbox-tools#43, fritzconnection#161
    "fritz": Vendor(f'{_FRITZ}"Permit independent port sharing for this device"', f'{_FRITZ}"Permit independent …"'),
    # pfSense and OPNsense run miniupnpd with a page of their own
    "pfsense": Vendor(f'{_SENSE}: add an ACL entry, or untick "Default Deny"', f'{_SENSE}: "Enable service"'),
    "opnsense": Vendor(f'{_SENSE}: add an ACL entry, or untick "Default Deny"', f'{_SENSE}: "Enable"'),
    "openwrt": Vendor("Services > UPnP: add a rule to the MiniUPnP ACLs", 'Services > UPnP: "Start service"'),
    "miniupnp": Vendor("miniupnpd.conf: an `allow` rule for this host and these ports before the `deny` rule"),
    "mikrotik": Vendor(switch_on="/ip upnp set enabled=yes, with an internal and an external interface"),
    "asus": Vendor(switch_on='WAN > Internet Connection > "Enable UPnP": Yes'),
    "netgear": Vendor(switch_on='Advanced > Advanced Setup > UPnP: "Turn UPnP On"'),
    "tp-link": Vendor(switch_on="Advanced > NAT Forwarding > UPnP"),
    "airport": Vendor(switch_on='AirPort Utility > Network > Network Options: "Enable NAT Port Mapping Protocol"'),
    # gluetun-wiki#145, gluetun#2679, binhex/arch-delugevpn#367
    "protonvpn": Vendor(_PROTON_SAYS, _PROTON_SAYS),
}
PROTON = "10.2.0.1"  # the gateway inside every tunnel of ProtonVPN: gluetun, qBittorrent#23265


def vendor_of(texts: Iterable[str]) -> Vendor:
    """The vendor that these texts (names, addresses, evidence) give away; one without advice where they do not."""
    words = " ".join(texts).lower()
    words += " protonvpn" if f" {PROTON} " in f" {words} " else ""
    return next((maker for word, maker in MAKERS.items() if word in words), Vendor())


def vendor_words(texts: Iterable[str]) -> tuple[str, ...]:
    """The words of this table that stand in these texts: all of them that may be told of a router."""
    words = " ".join(texts).lower()
    return tuple(word for word in MAKERS if word in words)
