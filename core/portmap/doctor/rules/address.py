"""Rules about the external address: whether it can be reached from outside, and whether traffic passes there."""

from ipaddress import IPv4Address

from portmap.doctor.diagnosis import Diagnosis, Outcome
from portmap.doctor.findings import BackendAnswer, Findings, HostNetwork
from portmap.doctor.rules.double_nat import commands_through
from portmap.errors import Refused, UnverifiedGateway
from portmap.model import Address, Scope, scope_of
from portmap.network.egress import leaves_elsewhere

_WITH_A_VPN = (
    "switch the VPN off, or let the program's traffic bypass it (split tunnelling)",
    "or open the port at the VPN, if it forwards ports: --nat protonvpn, or --nat pmp:ADDRESS",
)
_INSTEAD = (
    "use IPv6, if you have it: it needs no mapping, only an open port in the router's IPv6 firewall",
    "or use a VPN with port forwarding, or a tunnel",
)


def several_gateways(findings: Findings) -> Diagnosis | None:
    """Several gateways answer, or the one that answers is not the first default gateway."""
    free = [answer for answer in findings.good if not answer.placed and answer.host]
    hosts = list(dict.fromkeys(answer.host for answer in free))
    ways = findings.network.gateways
    astray = len(ways) > 1 and hosts and hosts[0] != ways[0]
    if len(hosts) < 2 and not astray:
        return None
    known = " and ".join(map(str, dict.fromkeys([*ways, *hosts])))
    return Diagnosis(
        "multiple-gateways",
        "There are several gateways, and a port may be opened on the wrong one.",
        f"Gateways here: {known}. Traffic leaves by {ways[0] if ways else 'one of them'}; {hosts[0]} opens ports.",
        (
            "name the right one: --nat pmp:ADDRESS, or --nat upnp:URL",
            "is a VPN or a second line meant to be on? if not, switch it off and look again",
        ),
        Outcome.UNREACHABLE,
    )


def traffic_elsewhere(findings: Findings) -> Diagnosis | None:
    """Our traffic leaves through another interface than the one towards the gateway: a VPN, as a rule."""
    network = findings.network
    answer = next((it for it in findings.good if leaves_elsewhere(network.outward, it.us)), None)
    if answer is None:
        return None
    via = f" ({network.outward_interface})" if network.outward_interface else ""
    return Diagnosis(
        "traffic-elsewhere",
        f"This computer's traffic does not leave through {answer.gateway}.",
        f"Our address towards the Internet is {network.outward}{via}, towards the gateway {answer.us}: a VPN or a "
        "second line is on. What comes in at the gateway is answered by the other way, so no connection comes about.",
        _answer_by(network.chosen, answer) if network.chosen else _WITH_A_VPN,
        Outcome.UNREACHABLE,
    )


def _answer_by(interface: str, answer: BackendAnswer) -> tuple[str, ...]:
    """What has programs answer by the interface that the user chose: a rule for our address there (ip-rule(8))."""
    route = f"ip route add default via {answer.host} dev {interface} table 100"
    return (
        f"as root: {route} && ip rule add from {answer.us} lookup 100",
        f"or bind the program to {answer.us} or {interface}, if it has such a setting",
    )


def other_gateway(findings: Findings) -> Diagnosis | None:
    """The gateway that answers is another device than our default gateway, on the same network."""
    network = findings.network
    answer = next((it for it in findings.chosen if _is_beside(it, network)), None)
    if answer is None or any(it.host in network.gateways for it in findings.good):
        return None
    router = network.gateways[0]
    named = "is the address that you named right? " if answer.placed else ""
    return Diagnosis(
        "other-gateway",
        f"{answer.host} answers, but this computer's traffic leaves through {router}.",
        f"{answer.host} may be an access point or a second router that still speaks {answer.protocol}. A port that is "
        f"opened there stays shut at {router}.",
        (
            f"{named}switch UPnP or NAT-PMP on in {router}, or forward the port there by hand",
            f"if {answer.host} is an access point: switch its UPnP off, or set it to access-point mode",
        ),
        Outcome.UNREACHABLE,
    )


def _is_beside(answer: BackendAnswer, network: HostNetwork) -> bool:
    """Whether it answered, is no default gateway, and is reached from the same address of ours as that one."""
    if not network.gateways or answer.host is None or answer.host in network.gateways:
        return False
    if isinstance(answer.error, UnverifiedGateway):
        return True
    return answer.good and answer.us is not None and answer.us == network.us == (network.outward or network.us)


def cgnat(findings: Findings) -> Diagnosis | None:
    """The provider's NAT is in front of the router."""
    address = _address(findings)
    if scope_of(address) is not Scope.CGNAT:
        return None
    return Diagnosis(
        "cgnat",
        "Carrier-grade NAT: your provider's NAT is in front of your router.",
        f"The router's own address, {address}, is not public: the provider shares one public address among many "
        "customers. The router opens a port, but no connection from outside arrives.",
        (*commands_through(findings), "ask the provider for a public IPv4 address", *_INSTEAD),
        Outcome.UNREACHABLE,
    )


def own_cgnat(findings: Findings) -> Diagnosis | None:
    """Nothing answers, and this host's own address is of the range for carrier-grade NAT."""
    us = findings.network.us
    if scope_of(us) is not Scope.CGNAT or findings.good or not all(it.silent for it in findings.chosen):
        return None
    return Diagnosis(
        "cgnat",
        "No router answers, and this computer's own address is one of those that providers share.",
        f"{us} belongs to 100.64.0.0/10, the range for carrier-grade NAT. Without a router of your own in between, the "
        "provider's NAT is next, and no program can open a port there.",
        (
            "ask the provider for a public IPv4 address",
            *_INSTEAD,
            "if your own network uses 100.64.0.0/10: switch UPnP or NAT-PMP on in its router",
        ),
        Outcome.UNREACHABLE,
    )


def double_nat(findings: Findings) -> Diagnosis | None:
    """The router's address is private; or it states none, and yet the Internet is there."""
    address = _address(findings)
    if scope_of(address) not in (Scope.PRIVATE, Scope.RESERVED) and not _has_internet_without_address(findings):
        return None
    said = (
        f"Your router's Internet address is {address}, which is not a public one."
        if address
        else "Your router has no public address, and yet the Internet is there."
    )
    return Diagnosis(
        "double-nat",
        "Double NAT: a second router is in front of yours.",
        f"{said} A port opened here is still shut there.",
        (
            *commands_through(findings),
            f"forward the port in the router in front{_outer(address)}, too: to {address or 'your router'}",
            "or make your router the exposed host (DMZ) of the one in front",
            "or set one of the two to bridge or access-point mode, so that there is one router",
        ),
        Outcome.UNREACHABLE,
    )


def egress_differs(findings: Findings) -> Diagnosis | None:
    """The router states one address, a server outside sees another."""
    seen = findings.outside.address if findings.outside else None
    stated = findings.stated
    if seen is None or not stated or seen in stated or type(seen) is not type(stated[0]):
        return None
    return Diagnosis(
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
    """The address of the first answer, which `any` would take."""
    return findings.stated[0] if findings.stated else None


def _has_internet_without_address(findings: Findings) -> bool:
    """Gateways such as miniupnpd give no address where theirs is private; STUN has told that the Internet is there."""
    refused = any(isinstance(answer.error, Refused) for answer in findings.chosen)
    return not findings.stated and refused and findings.outside is not None and findings.outside.good


def _outer(address: Address | None) -> str:
    """Where the router in front is likely to be: the first address of the network between the two."""
    if not isinstance(address, IPv4Address):
        return ""
    return f" (probably {IPv4Address(int(address) & 0xFFFFFF00 | 1)})"
