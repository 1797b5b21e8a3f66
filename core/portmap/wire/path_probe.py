"""Which router stands at the n-th place on the way out of this network: a datagram that may pass n - 1 routers tells.

The n-th one drops it, as its TTL has run out, and says so by ICMP (RFC 792). Linux hands that to the socket itself
(IP_RECVERR, ip(7)), so no root is needed. The datagram goes towards an address that no host has (RFC 5737), and no
further than that router.
"""

import logging
import select
import socket
import struct
import sys
import time
from ipaddress import IPv4Address

from portmap.errors import NoGateway
from portmap.network.routes import bind_towards

_OUTSIDE = ("192.0.2.1", 33434)  # TEST-NET-1, RFC 5737; the port of traceroute
_IP_RECVERR = 11  # linux/in.h
_MSG_ERRQUEUE = 0x2000  # linux/socket.h
_ERROR = struct.Struct("=IBBBxII")  # sock_extended_err, linux/errqueue.h: errno, origin, type, code, info, data
_ADDRESS = struct.Struct("=HH4s")  # sockaddr_in as far as it is needed
_BY_ICMP = 2  # SO_EE_ORIGIN_ICMP
_TIME_EXCEEDED = 11  # RFC 792
TIMEOUT = 0.6  # seconds for both tries
_TRIES = 2
_log = logging.getLogger("portmap.wire")


def router_at(distance: int, timeout: float = TIMEOUT, interface: str | None = None) -> IPv4Address | None:
    """The router at this place on the way out, 1 for the first; None where it is silent, or the system cannot tell.

    `interface`: the way out by this one; None: the routing table decides.
    """
    if sys.platform != "linux":
        return None
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            bind_towards(probe, IPv4Address(_OUTSIDE[0]), interface)
            probe.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
            probe.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, distance)
            return _ask(probe, timeout)
    except (OSError, NoGateway) as error:
        _log.debug("the router at place %d cannot be asked for: %s", distance, error)
        return None


def _ask(probe: socket.socket, timeout: float) -> IPv4Address | None:
    for _ in range(_TRIES):
        probe.sendto(b"", _OUTSIDE)
        deadline = time.monotonic() + timeout / _TRIES
        while (left := deadline - time.monotonic()) > 0:
            poll = select.poll()
            poll.register(probe, select.POLLERR)  # errors are always told, data is not waited for
            if poll.poll(left * 1000) and (router := _read(probe)) is not None:
                return router
    return None


def _read(probe: socket.socket) -> IPv4Address | None:
    """The router in the next error; None for an error of another kind."""
    _, told, _, _ = probe.recvmsg(64, 512, _MSG_ERRQUEUE | socket.MSG_DONTWAIT)
    for level, kind, data in told:
        if (level, kind) == (socket.IPPROTO_IP, _IP_RECVERR):
            return parse_error(data)
    return None


def parse_error(data: bytes) -> IPv4Address | None:
    """The router that dropped it for its TTL, from a `sock_extended_err` and address; None for other errors. Pure."""
    if len(data) < _ERROR.size + _ADDRESS.size:
        return None
    _, origin, kind, *_ = _ERROR.unpack_from(data)
    family, _, packed = _ADDRESS.unpack_from(data, _ERROR.size)
    if (origin, kind, family) != (_BY_ICMP, _TIME_EXCEEDED, socket.AF_INET):
        return None
    return IPv4Address(packed)
