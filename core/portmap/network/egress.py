"""Whether our traffic leaves through the gateway that maps our ports; with a VPN it does not. Sends no packet.

The kernel tells from which address of ours it would send to a host outside, and from which one to the gateway. Where
these differ, two ways lead out, and what comes in at the gateway is answered through the other one.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address

from portmap.errors import NoGateway
from portmap.gateway_names import ipv4_gateway_address
from portmap.model import Scope, scope_of
from portmap.network.interface import answers_leave_by
from portmap.network.routes import default_gateways, is_on_link, local_address_to

RELAYED_TO = IPv4Address("127.0.0.1")  # where a backend that hands on what arrives reaches the program

_OUTSIDE = IPv4Address("192.0.2.1")  # TEST-NET-1, RFC 5737: stands for any host outside


def outward_address(interface: str | None = None) -> IPv4Address | None:
    """Our own address towards the outside; None where there is no way out.

    `interface`: its own, if what arrives by it is answered by it as well, as by a rule for its address (ip-rule(8)).
    """
    ours = address_towards(_OUTSIDE, interface)
    if interface is None or ours is None or answers_leave_by(interface, ours, _OUTSIDE):
        return ours
    return address_towards(_OUTSIDE)


def address_towards(peer: IPv4Address | None, interface: str | None = None) -> IPv4Address | None:
    """Our own address on the way to the peer; None where there is no way, or no peer."""
    try:
        return None if peer is None else local_address_to(peer, interface)
    except NoGateway:
        return None


def client_of(gateway: str, interface: str | None = None, *, relays: bool = False) -> IPv4Address | None:
    """Our own address that a gateway of this name maps ports to; None where the name tells no gateway's address.

    `relays`: the backend itself hands on what arrives.
    """
    return RELAYED_TO if relays else address_towards(ipv4_gateway_address(gateway), interface)


def leaves_elsewhere(outward: IPv4Address | None, towards_gateway: IPv4Address | None) -> bool:
    """Whether two addresses of ours, towards the outside and towards the gateway, are of two ways out. Pure.

    A gateway on loopback is a simulated one: nothing leaves through it.
    """
    if outward is None or towards_gateway is None or towards_gateway.is_loopback:
        return False
    return outward != towards_gateway


def is_server(address: IPv4Address | None, interface: str | None = None) -> bool:
    """Whether it is the address of a host on the internet: one that a backend asks, as STUN, and that is no gateway."""
    return address is not None and scope_of(address) is Scope.PUBLIC and not is_on_link(address, interface)


def is_beside(gateway: IPv4Address | None, routers: Sequence[IPv4Address], ours: IPv4Address | None) -> bool:
    """Whether a gateway is another device than our default gateway `routers[0]`, on the same network.

    `ours`: our own address towards the gateway. Such a gateway is an access point that still maps ports, as a rule.
    """
    if gateway is None or ours is None or not routers or gateway in routers:
        return False
    return address_towards(routers[0]) == ours


def egress_note(name: str, interface: str | None = None) -> str:
    """One line for people where our traffic does not leave through the gateway of this name; else empty."""
    gateway, outward, routers = ipv4_gateway_address(name), outward_address(interface), default_gateways(interface)
    ours = address_towards(gateway, interface)
    if leaves_elsewhere(outward, ours) and interface is not None:
        return (
            f"programs answer from {outward}, not by {interface}, until a rule says so: `portmap doctor --interface "
            f"{interface}` says more"
        )
    if leaves_elsewhere(outward, ours):
        return f"traffic leaves from {outward}, not through the gateway (a VPN?): `portmap doctor` says more"
    if is_beside(gateway, routers, ours) and not is_server(gateway, interface):
        return f"traffic leaves through {routers[0]}, not through {gateway}: `portmap doctor` says more"
    return ""
