"""Rules about the external address: what it is worth to somebody outside."""

from ipaddress import IPv4Address

from portmap.doctor.findings import Findings
from portmap.doctor.verdict import Outcome, Verdict
from portmap.errors import Refused
from portmap.model import Address, Scope, scope_of

_INSTEAD = (
    "IPv6, if you have it, needs no mapping: only the router's IPv6 firewall is in the way",
    "a VPN with port forwarding, or a tunnel",
)


def several_gateways(findings: Findings) -> Verdict | None:
    """Those that map ports are not where our traffic goes, or are several."""
    free = [answer for answer in findings.good if not answer.placed and answer.host]
    hosts = list(dict.fromkeys(answer.host for answer in free))
    ways = [str(gateway) for gateway in findings.network.gateways]
    astray = len(ways) > 1 and hosts and hosts[0] != ways[0]
    if len(hosts) < 2 and not astray:
        return None
    known = " and ".join(dict.fromkeys([*ways, *hosts]))
    return Verdict(
        "multiple-gateways",
        "There are several gateways, and a port may be opened on the wrong one.",
        f"Gateways here: {known}. Traffic leaves by {ways[0] if ways else 'one of them'}; {hosts[0]} opens ports.",
        (
            "name the right one: --nat pmp:ADDRESS, or --nat upnp:URL",
            "is a VPN or a second uplink meant to be on? if not, switch it off and look again",
        ),
        Outcome.UNREACHABLE,
    )


def cgnat(findings: Findings) -> Verdict | None:
    """The provider's NAT is in front."""
    address = _address(findings)
    if scope_of(address) is not Scope.CGNAT:
        return None
    return Verdict(
        "cgnat",
        "Carrier-grade NAT: your provider's NAT sits in front of your router.",
        f"The router's own address, {address}, is shared by many. A mapping here is accepted and does not work.",
        ("ask the provider for a public IPv4 address of your own", *_INSTEAD),
        Outcome.UNREACHABLE,
    )


def double_nat(findings: Findings) -> Verdict | None:
    """Another router is in front: the address is private, or none is told and yet the Internet is there."""
    address = _address(findings)
    if scope_of(address) not in (Scope.PRIVATE, Scope.RESERVED) and not _keeps_silent_about_it(findings):
        return None
    said = (
        f"Your router's Internet address is {address}, which is a private one."
        if address
        else ("Your router has no public address, and yet the Internet is there.")
    )
    return Verdict(
        "double-nat",
        "Double NAT: a second router is in front of yours.",
        f"{said} A port opened here is still shut there.",
        (
            f"forward the port in the router in front{_outer(address)}, too: to {address or 'your router'}",
            "or make your router the exposed host (DMZ) of the one in front",
            "or set one of the two to bridge or access-point mode, so that there is one router",
        ),
        Outcome.UNREACHABLE,
    )


def egress_differs(findings: Findings) -> Verdict | None:
    """The router says one address, the world sees another."""
    seen = findings.outside.address if findings.outside else None
    stated = findings.stated
    if seen is None or not stated or seen in stated or type(seen) is not type(stated[0]):
        return None
    return Verdict(
        "egress-differs",
        "The world sees another address than the router's.",
        f"The router says {stated[0]}, the world sees {seen}: traffic leaves another way, through a VPN, a second line "
        "or a NAT of the provider's. A port opened here is not reached at the address that others see.",
        (
            "with a VPN: reconnect, take a server that forwards ports, or switch the VPN off",
            f"give others {stated[0]}, if that is your line's public address",
            "else ask the provider for a public IPv4 address",
        ),
        Outcome.UNREACHABLE,
    )


def _address(findings: Findings) -> Address | None:
    """What the first to answer states, whom `any` would take."""
    return findings.stated[0] if findings.stated else None


def _keeps_silent_about_it(findings: Findings) -> bool:
    """Gateways such as miniupnpd give no address where theirs is private; that the Internet is there, STUN has told."""
    refused = any(isinstance(answer.error, Refused) for answer in findings.chosen)
    return not findings.stated and refused and findings.outside is not None and findings.outside.good


def _outer(address: Address | None) -> str:
    """Where the router in front is likely to be: the first address of the network between the two."""
    if not isinstance(address, IPv4Address):
        return ""
    return f" (probably {IPv4Address(int(address) & 0xFFFFFF00 | 1)})"
