"""The sockets of a search: opened, sent from and received on, by IPv4 and IPv6. Thin; nothing is judged here."""

import logging
import socket
from collections.abc import Sequence
from contextlib import ExitStack, closing
from ipaddress import IPv4Address, IPv6Address, ip_address

from portmap.errors import NoGateway
from portmap.model import Address
from portmap.network.interface import use_interface
from portmap.network.routes import local_address_to
from portmap_upnp.discovery import ssdp

MAX_LINKS = 16
_log = logging.getLogger("portmap.upnp")


def open_socket(source: str, interface: str | None) -> socket.socket:
    """A socket that asks from our address `source`. Raises NoGateway where there is none to be had."""
    is_ipv6 = ":" in source
    with ExitStack() as undo:
        try:
            sock = undo.enter_context(
                closing(socket.socket(socket.AF_INET6 if is_ipv6 else socket.AF_INET, socket.SOCK_DGRAM))
            )
            if is_ipv6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, ssdp.TTL)
            else:
                sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, ssdp.TTL)
            sock.setblocking(False)
            use_interface(sock, interface)
            sock.bind((source, 0))
        except OSError as error:
            raise NoGateway(f"no socket to search with: {error.strerror}; is the network up?") from error
        undo.pop_all()
        return sock


def send(sock: socket.socket, request: bytes, host: str, port: int, egress: IPv4Address | None = None) -> None:
    """Send; an IPv4 multicast leaves from our own address `egress`."""
    numbers = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV  # nothing is looked up; a zone becomes its number
    try:
        if egress is not None:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, egress.packed)
        address = socket.getaddrinfo(host, port, sock.family, socket.SOCK_DGRAM, flags=numbers)[0][4]
        sock.sendto(request, address)
    except OSError as error:  # one way that is closed does not close the others
        _log.debug("M-SEARCH to %s:%d not sent: %s", host, port, error.strerror)
    else:
        _log.debug("-> %s:%d %r", host, port, request, extra={"wire": _wire("out", host, port, request)})


def receive(sock: socket.socket) -> tuple[bytes, Address] | None:
    """The next datagram and its sender, with its zone; None where there is none."""
    try:
        datagram, address = sock.recvfrom(ssdp.MAX_DATAGRAM + 1)
    except OSError:  # nothing after all, or a port that an earlier question found closed
        return None
    host = _sender(address)
    _log.debug("<- %s %r", host, datagram, extra={"wire": _wire("in", str(host), address[1], datagram)})
    return datagram, host


def egresses(gateways: Sequence[Address], interface: str | None) -> list[IPv4Address]:
    """Our own addresses on the ways to the gateways: a VPN or a container bridge must not swallow the multicast."""
    ours: dict[IPv4Address, None] = {}
    for gateway in gateways:
        try:
            if isinstance(gateway, IPv4Address):
                ours[local_address_to(gateway, interface)] = None
        except NoGateway as error:
            _log.debug("no search by multicast: %s", error)
    return list(ours) or [IPv4Address(0)]  # 0.0.0.0: as the system likes


def zones(gateways: Sequence[Address]) -> list[str]:
    """The links of the routers; all of ours where the system does not tell its routers."""
    told = dict.fromkeys(it.scope_id for it in gateways if isinstance(it, IPv6Address) and it.scope_id)
    return list(told) or [str(index) for index, _ in socket.if_nameindex()][:MAX_LINKS]


def _sender(address: tuple[object, ...]) -> Address:
    if len(address) == 2:
        return IPv4Address(address[0])
    return ip_address(socket.getnameinfo(address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)[0])  # type: ignore[arg-type]  # as recvfrom gives it


def _wire(way: str, host: str, port: object, data: bytes) -> dict[str, object]:
    """The datagram for `portmap.doctor.capture`."""
    return {"way": way, "over": "ssdp", "peer": f"{host}:{port}", "data": data}
