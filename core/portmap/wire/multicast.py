"""Sockets that receive multicast announcements: opened, joined to groups, read. IPv4 and IPv6 alike.

Raises portmap errors only: a socket or a group that cannot be had is logged, and nothing fails.
"""

import logging
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address

from portmap.errors import NoGateway
from portmap.model import Address
from portmap.network import routes
from portmap.network.interface import use_interface

log = logging.getLogger("portmap.wire")

_LOOK = 1024  # datagrams read at a time; a socket holds fewer by default
_MAX_DATAGRAM = 65535
# RFC 6886 §3.2.1: the port is for all clients of a host. BSD shares it by the second option; Windows has the first.
_SHARED = [getattr(socket, name) for name in ("SO_REUSEADDR", "SO_REUSEPORT") if hasattr(socket, name)]


def open_multicast_socket(group: str, port: int, interface: str | None = None) -> socket.socket | None:
    """A socket that receives on the group's port beside other programs of this host; None if it cannot be had.

    `interface`: receive from this one only. Bound to the group itself, it takes no unicast from a server that shares
    the port. That does not work on Windows, and an IPv6 group needs a network, which is not known yet.
    """
    ipv6 = ":" in group
    try:
        sock = socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET, socket.SOCK_DGRAM)
    except OSError as error:  # a system without IPv6
        log.info("announcements to %s:%d are not heard: %s", group, port, error)
        return None
    try:
        sock.setblocking(False)
        for option in _SHARED:
            sock.setsockopt(socket.SOL_SOCKET, option, 1)
        if ipv6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        use_interface(sock, interface)
        anywhere = sys.platform == "win32" or (ipv6 and ip_address(group).is_multicast)
        sock.bind(("" if anywhere else group, port))
    except OSError as error:
        sock.close()
        log.info("announcements to %s:%d are not heard: %s", group, port, error)
        return None
    return sock


def interface_towards(gateway: Address, interface: str | None = None) -> Address | int | None:
    """The network of the gateway, for `join_group`: our IPv4 address there, or the number of the IPv6 interface.

    `interface`: the one that leads there; None: the routing table decides.
    0 where an IPv6 gateway's address does not tell: the system then chooses. None where no route leads there.
    """
    if isinstance(gateway, IPv6Address):
        return _index(gateway.scope_id or interface)
    try:
        return routes.local_address_to(gateway, interface)
    except NoGateway as error:
        log.debug("announcements may not be heard: %s", error)
        return None


def join_group(sock: socket.socket, group: str, network: Address | int) -> None:
    """Join the group on that network, if it is one of the same IP version."""
    address = ip_address(group)
    if not address.is_multicast or isinstance(address, IPv4Address) != isinstance(network, IPv4Address):
        return
    try:
        if isinstance(network, int):
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, address.packed + struct.pack("@I", network))
        else:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, address.packed + network.packed)
    except OSError as error:
        log.debug("could not join %s at %s, so its announcements may not be heard: %s", group, network, error)


def read_datagrams(sock: socket.socket) -> Iterator[tuple[Address, bytes]]:
    """What waits at the socket: the sender, its zone as a number, and the content."""
    for _ in range(_LOOK):
        try:
            datagram, sender = sock.recvfrom(_MAX_DATAGRAM)
        except BlockingIOError:
            return
        except OSError as error:
            log.debug("announcements: %s", error)
            return
        yield _sender(*sender), datagram


def with_numeric_zone(address: Address) -> Address:
    """The address with its zone, if it has one, as a number: `fe80::1%eth0` and `fe80::1%2` may be the same."""
    if isinstance(address, IPv6Address) and address.scope_id:
        return _zoned(str(address).partition("%")[0], _index(address.scope_id))
    return address


def _sender(host: str, _port: int, _flow: int = 0, zone: int = 0) -> Address:
    return _zoned(host.partition("%")[0], zone)


def _zoned(host: str, zone: int) -> Address:
    return IPv6Address(f"{host}%{zone}") if zone else ip_address(host)


def _index(zone: str | None) -> int:
    """The number of the interface that a zone names; 0 for none."""
    try:
        return int(zone or 0) & 0xFFFFFFFF
    except ValueError:
        with suppress(OSError, ValueError):  # no such interface, or no possible name
            return socket.if_nametoindex(str(zone))
        return 0
