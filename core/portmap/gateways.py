"""Which addresses may be the gateway: the routing table's word first, then guesses.

Law: looking sends no packet and never fails. Whoever asks gets candidates, best first, maybe none, and must talk to
them to learn more: with a VPN up, two uplinks or a table that cannot be read nobody knows beforehand.
"""

import importlib
import socket
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address
from itertools import chain
from pathlib import Path
from typing import Literal

from portmap.errors import NoGateway
from portmap.model import Scope, scope_of

_ROUTES = Path("/proc/net/route")  # Linux; elsewhere there is no such file
_FLAGS = 0x1 | 0x2  # RTF_UP | RTF_GATEWAY: linux/route.h
_OUTSIDE = IPv4Address("192.0.2.1")  # TEST-NET-1, RFC 5737: stands for "anybody out there"; nothing is sent to it
_DISCARD = 9  # RFC 863; some systems refuse to connect to port 0


def default_gateways() -> list[IPv4Address]:
    """The default routes' gateways, best metric first; [] where the system does not tell.

    Linux tells by itself. Elsewhere the extra `[gateway]` (netifaces) must be installed.
    """
    try:
        table = _ROUTES.read_text(encoding="ascii", errors="replace")
    except OSError:
        return _gateways_by_netifaces()
    return parse_routes(table)


def candidates() -> list[IPv4Address]:
    """Whom to ask, best first: the default gateways, then the usual address of a home router on our own subnet."""
    return _unique(chain(default_gateways(), _guesses()))


def local_address_towards(peer: IPv4Address) -> IPv4Address:
    """Our own address on the way to the peer, as the kernel would choose it. No packet is sent.

    Raises NoGateway where there is no way.
    """
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((str(peer), _DISCARD))
            return IPv4Address(probe.getsockname()[0])
    except OSError as error:
        raise NoGateway(f"no route to {peer}: {error.strerror}; is the network up?") from error


def parse_routes(table: str, byteorder: Literal["little", "big"] = sys.byteorder) -> list[IPv4Address]:
    """The gateways of the default routes in a `/proc/net/route` text, best metric first; pure.

    The kernel prints addresses as hexadecimal numbers of the machine's own byte order: 0101A8C0 is 192.168.1.1 on a
    little-endian one. Routes on the link (no gateway, as with PPP) and lines that are no routes are skipped.
    """
    routes = filter(None, (_default_route(line.split(), byteorder) for line in table.splitlines()[1:]))
    return _unique(gateway for _, gateway in sorted(routes, key=lambda route: route[0]))


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


def _gateways_by_netifaces() -> list[IPv4Address]:
    """The same from netifaces, an extra and hence imported only here; it names the default one, not the metrics."""
    try:
        netifaces = importlib.import_module("netifaces")
        table, family = netifaces.gateways(), netifaces.AF_INET
        default = table.get("default", {}).get(family)
        routes = ([default] if default else []) + list(table.get(family, []))
        return _unique(IPv4Address(route[0]) for route in routes)
    except (ImportError, OSError, ValueError):
        return []


def _guesses() -> Iterator[IPv4Address]:
    """The first host of the private /24 that we have an address in, unless that is ourselves."""
    try:
        ours = local_address_towards(_OUTSIDE)
    except NoGateway:
        return
    first = IPv4Address(int(ours) & 0xFFFFFF00 | 1)
    if scope_of(ours) is Scope.PRIVATE and first != ours:
        yield first


def _unique(addresses: Iterator[IPv4Address]) -> list[IPv4Address]:
    """Each address once, in the order of first mention."""
    return list(dict.fromkeys(addresses))
