"""AdvertisementReceiver: receives SSDP NOTIFY.

Announcements are optional: where they cannot be received, that is logged once. Only those from an expected address that
concern port mapping are passed on. The port is shared with other programs.
"""

import logging
import socket
import sys
from collections.abc import Collection, Iterator
from ipaddress import IPv4Address
from typing import TypeAlias

from portmap.errors import Garbled, NoGateway
from portmap.model import Address
from portmap.network.interface import use_interface
from portmap.network.routes import local_address_to
from portmap_upnp.discovery.ssdp import MAX_DATAGRAM, Advertisement, parse_advertisement

Peer: TypeAlias = tuple[str, int]

_LOOK = 1024  # datagrams read at a time at the most; what a socket holds by default is less
_KEPT = 16  # different ones that matter; a gateway has one or two to say
_SHARED = [getattr(socket, name) for name in ("SO_REUSEADDR", "SO_REUSEPORT") if hasattr(socket, name)]
_log = logging.getLogger("portmap.upnp")


class AdvertisementReceiver:
    """Listens at `where`, a group and port, until `close`; by the interface only, if one is given."""

    def __init__(self, where: Peer, interface: str | None = None) -> None:
        self._group = IPv4Address(where[0])
        self._interface = interface
        self._joined: set[IPv4Address] = set()
        self.sock = _open(where, interface)
        """To wait on; None where nothing can be heard."""

    def join_towards(self, gateway: Address) -> None:
        """Listen on the interface that leads to the gateway."""
        if self.sock is None or not self._group.is_multicast or not isinstance(gateway, IPv4Address):
            return
        try:
            ours = local_address_to(gateway, self._interface)
            if ours not in self._joined:
                self.sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, self._group.packed + ours.packed)
                self._joined.add(ours)
        except (NoGateway, OSError) as error:
            _log.debug("announcements of %s may not be heard: %s", gateway, error)

    def read(self, expected: Collection[Address]) -> list[tuple[Address, Advertisement]]:
        """What the expected have said since the last look, each thing once, in order."""
        notices: dict[tuple[Address, Advertisement], None] = {}
        for sender, datagram in _datagrams(self.sock) if self.sock else ():
            if sender in expected and len(notices) < _KEPT and (notice := _read(sender, datagram)):
                notices[sender, notice] = None
        return list(notices)

    def close(self) -> None:
        """Hear no more."""
        if self.sock:
            self.sock.close()


def _open(where: Peer, interface: str | None) -> socket.socket | None:
    """Bound to the group itself it takes no unicast from a server that shares the port; Windows knows no such thing."""
    host, port = where
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        for option in _SHARED:
            sock.setsockopt(socket.SOL_SOCKET, option, 1)
        use_interface(sock, interface)
        sock.bind(("" if sys.platform == "win32" and IPv4Address(host).is_multicast else host, port))
    except OSError as error:
        sock.close()
        _log.info("announcements to %s:%d are not heard: %s", host, port, error)
        return None
    return sock


def _datagrams(sock: socket.socket) -> Iterator[tuple[IPv4Address, bytes]]:
    """What waits at the socket: sender and content."""
    for _ in range(_LOOK):
        try:
            datagram, (sender, _) = sock.recvfrom(MAX_DATAGRAM + 1)
        except OSError:  # no more for now, mostly
            return
        yield IPv4Address(sender), datagram


def _read(sender: IPv4Address, datagram: bytes) -> Advertisement | None:
    try:
        notice = parse_advertisement(datagram)
    except Garbled as error:
        _log.debug("announcement of %s ignored: %s", sender, error)
        return None
    _log.debug("<- announced by %s: %r", sender, datagram)
    return notice
