"""The default gateways and our own addresses, as the kernel tells them; guesses where it names no gateway.

Looking sends no packet and does not fail. The answer is a list of candidates, best first, maybe empty: with a VPN up,
two uplinks or an unreadable table, only talking to them tells which is the gateway. IPv6 has the same
(`default_gateways6`), and an address of our own that all hosts may know.

`interface` is the name of one of this host's interfaces: the answer is then of its network alone. None: as the routes
say. A socket that is to use it is bound by `bind_towards`, or by `portmap.network.interface.use_interface`.
"""

import importlib
import socket
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from pathlib import Path
from typing import Literal, TypeVar

from portmap.errors import NoGateway
from portmap.model import Address, Scope, scope_of
from portmap.network import interface as interfaces

A = TypeVar("A", bound=Address)

_ROUTES = Path("/proc/thread-self/net/route")  # Linux; elsewhere there is no such file
_FLAGS = 0x1 | 0x2  # RTF_UP | RTF_GATEWAY: linux/route.h
_OUTSIDE = IPv4Address("192.0.2.1")  # TEST-NET-1, RFC 5737: stands for any host outside; nothing is sent to it
_DISCARD = 9  # RFC 863; some systems refuse to connect to port 0
_ROUTES6 = Path("/proc/thread-self/net/ipv6_route")  # Linux
_OUTSIDE6 = "2001:db8::1"  # RFC 3849: as above
_ADDR_PREFERENCES, _PREFER_PUBLIC = 72, 0x2  # linux/in6.h, RFC 5014: no temporary address (RFC 8981), they end


def default_gateways(interface: str | None = None) -> list[IPv4Address]:
    """The default routes' gateways, best metric first; [] where the system does not tell.

    Linux tells by itself. Elsewhere the extra `[gateway]` (netifaces) must be installed.
    """
    if interface is not None:
        return interfaces.default_gateways(interface)
    try:
        table = _ROUTES.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return _gateways_by_netifaces()
    return parse_routes(table)


def guessed_gateways(interface: str | None = None) -> list[IPv4Address]:
    """Where no default route names a gateway: the usual address of a home router on our own subnet; else []."""
    return [] if default_gateways(interface) else list(_guesses(interface))


def local_address_to(peer: IPv4Address, interface: str | None = None) -> IPv4Address:
    """Our own address on the way to the peer, as the kernel would choose it. No packet is sent.

    Raises NoGateway where there is no way.
    """
    interfaces.check_has_ipv4(interface)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            interfaces.use_interface(probe, interface)
            probe.connect((str(peer), _DISCARD))
            return IPv4Address(probe.getsockname()[0])
    except OSError as error:
        raise NoGateway(f"no route to {peer}: {error.strerror}; is the network up?") from error


def bind_towards(
    sock: socket.socket, peer: Address, interface: str | None, source: Address | None = None, port: int = 0
) -> None:
    """Have a socket send to the peer by the interface, from `source` or our address there. Raises NoGateway, OSError.

    The address matters where rules choose the routing table by it (ip-rule(8)). With neither interface nor `source` nor
    `port` the system chooses all of it.
    """
    interfaces.use_interface(sock, interface)
    if source is None and interface is not None and isinstance(peer, IPv4Address):
        source = local_address_to(peer, interface)
    if source is not None or port:
        anywhere = "0.0.0.0" if isinstance(peer, IPv4Address) else "::"  # noqa: S104  # the system chooses
        sock.bind((anywhere if source is None else str(source), port))


def is_on_link(address: IPv4Address, interface: str | None = None) -> bool:
    """Whether the address is in a network of one of our own interfaces, so that no router is in between."""
    return network_of(address, interface) is not None


def network_of(address: IPv4Address, interface: str | None = None) -> IPv4Network | None:
    """The network of one of our own interfaces that the address is in; None where it is in none.

    Where the system does not tell its routes: the 256 addresses around our own address there.
    """
    try:
        table = _ROUTES.read_text(encoding="utf-8", errors="replace")
        networks = parse_connected_networks(table, interface=interface)
    except OSError:
        try:
            networks = [IPv4Network((local_address_to(address, interface), 24), strict=False)]
        except NoGateway:
            return None
    return next((network for network in networks if address in network), None)


def own_public_address(interface: str | None = None) -> IPv4Address | None:
    """Our own address on the way outside, if it is a public one: then there is no NAT. No packet is sent."""
    try:
        ours = local_address_to(_OUTSIDE, interface)
    except NoGateway:
        return None
    return ours if scope_of(ours) is Scope.PUBLIC else None


def default_gateways6(interface: str | None = None) -> list[IPv6Address]:
    """The same for IPv6: the default routers, those on the link with their zone, as fe80::1%eth0."""
    if interface is not None:
        return interfaces.default_gateways6(interface)
    try:
        table = _ROUTES6.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return _gateways6_by_netifaces()
    return parse_routes6(table)


def global_ipv6_address(interface: str | None = None) -> IPv6Address | None:
    """Our own address in the IPv6 internet, rather a lasting one than a temporary one; None where we have none.

    It is the one that the kernel would use towards any host outside. No packet is sent.
    """
    if interface is not None:
        return interfaces.global_ipv6_address(interface)
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            if sys.platform == "linux":
                probe.setsockopt(socket.IPPROTO_IPV6, _ADDR_PREFERENCES, _PREFER_PUBLIC)
            probe.connect((_OUTSIDE6, _DISCARD))
            ours = IPv6Address(probe.getsockname()[0].partition("%")[0])
    except OSError:
        return None
    return ours if scope_of(ours) is Scope.PUBLIC else None


def parse_routes6(table: str) -> list[IPv6Address]:
    """The gateways of the default routes in a `/proc/net/ipv6_route` text, best metric first; pure.

    Addresses stand there in the order of the network, lines have no head.
    """
    routes = filter(None, (_default_route6(line.split()) for line in table.splitlines()))
    return _first(gateway for _, gateway in sorted(routes, key=lambda route: route[0]))


def parse_routes(table: str, byteorder: Literal["little", "big"] = sys.byteorder) -> list[IPv4Address]:
    """The gateways of the default routes in a `/proc/net/route` text, best metric first; pure.

    The kernel prints addresses as hexadecimal numbers of the machine's own byte order: 0101A8C0 is 192.168.1.1 on a
    little-endian one. Routes on the link (no gateway, as with PPP) and lines that are no routes are skipped.
    """
    routes = filter(None, (_default_route(line.split(), byteorder) for line in table.splitlines()[1:]))
    return _first(gateway for _, gateway in sorted(routes, key=lambda route: route[0]))


def parse_connected_networks(
    table: str, byteorder: Literal["little", "big"] = sys.byteorder, interface: str | None = None
) -> list[IPv4Network]:
    """The networks in a `/proc/net/route` text that are reached without a gateway; pure. No default route is one.

    `interface`: of this one only.
    """
    rows = (line.split() for line in table.splitlines()[1:])
    networks = (_connected_network(row, byteorder) for row in rows if interface in (None, *row[:1]))
    return [network for network in networks if network is not None]


def _connected_network(fields: list[str], byteorder: Literal["little", "big"]) -> IPv4Network | None:
    try:
        destination, flags, mask = fields[1], int(fields[3], 16), fields[7]
        address, bits = (int.from_bytes(bytes.fromhex(text), byteorder) for text in (destination, mask))
        if flags & _FLAGS != 0x1 or not bits:  # RTF_UP alone
            return None
        return IPv4Network((address, str(IPv4Address(bits))))
    except (ValueError, IndexError):
        return None


def _default_route(fields: list[str], byteorder: Literal["little", "big"]) -> tuple[int, IPv4Address] | None:
    """(metric, gateway) if the line is a default route through a gateway."""
    try:
        _, destination, gateway, flags, _, _, metric, mask = fields[:8]
        if int(destination, 16) or int(mask, 16) or int(flags, 16) & _FLAGS != _FLAGS:
            return None
        address = IPv4Address(int(gateway, 16).to_bytes(4, byteorder))
        return None if address.is_unspecified else (int(metric), address)
    except (ValueError, OverflowError):
        return None


def _default_route6(fields: list[str]) -> tuple[int, IPv6Address] | None:
    """(metric, gateway) if the line is a default route through a gateway."""
    try:
        destination, prefix, _, _, gateway, metric, _, _, flags, interface = fields
        if int(destination, 16) or int(prefix, 16) or int(flags, 16) & _FLAGS != _FLAGS:
            return None
        address = _on_link(IPv6Address(bytes.fromhex(gateway)), interface)
        return None if address.is_unspecified else (int(metric, 16), address)
    except ValueError:
        return None


def _on_link(address: IPv6Address, interface: str) -> IPv6Address:
    """The address together with the interface where it means something, if it needs one."""
    return IPv6Address(f"{address}%{interface}") if address.is_link_local and not address.scope_id else address


def _gateways6_by_netifaces() -> list[IPv6Address]:
    """The same from netifaces, as for IPv4."""
    try:
        netifaces = importlib.import_module("netifaces")
        table, family = netifaces.gateways(), netifaces.AF_INET6
        default = table.get("default", {}).get(family)
        routes = ([default] if default else []) + list(table.get(family, []))
        return _first(_on_link(IPv6Address(route[0]), route[1]) for route in routes)
    except (ImportError, OSError, ValueError):
        return []


def _gateways_by_netifaces() -> list[IPv4Address]:
    """The same from netifaces, an extra and hence imported only here; it names the default one, not the metrics."""
    try:
        netifaces = importlib.import_module("netifaces")
        table, family = netifaces.gateways(), netifaces.AF_INET
        default = table.get("default", {}).get(family)
        routes = ([default] if default else []) + list(table.get(family, []))
        return _first(IPv4Address(route[0]) for route in routes)
    except (ImportError, OSError, ValueError):
        return []


def _guesses(interface: str | None) -> Iterator[IPv4Address]:
    """The first host of the private /24 that we have an address in, unless that is ourselves."""
    try:
        ours = local_address_to(_OUTSIDE, interface)
    except NoGateway:
        return
    first = IPv4Address(int(ours) & 0xFFFFFF00 | 1)
    if scope_of(ours) is Scope.PRIVATE and first != ours:
        yield first


def _first(addresses: Iterator[A]) -> list[A]:
    """Each address once, in the order of first mention; of many the first ones."""
    return list(dict.fromkeys(addresses))[: interfaces.MOST_GATEWAYS]
