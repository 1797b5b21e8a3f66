"""The SSDP search by IPv6, for who opens pinholes: thin sockets.

Law: as in `search`, everybody is asked at once, by multicast on the links of our default routers and each of these by
itself. We ask from our global address and from our link-local one: a gateway answers from its own address of that
kind, and what it gives as its LOCATION must be the address that it answers from.
"""

import logging
import select
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from ipaddress import IPv6Address

from portmap.errors import Garbled, NoGateway
from portmap.network.routes import default_gateways6
from portmap_upnp.discovery import ssdp
from portmap_upnp.location6 import Location6, parse_location6

GROUP = "ff02::c"  # UDA 1.1 annex A.3: link-local scope
TARGET = "urn:schemas-upnp-org:service:WANIPv6FirewallControl:1"
VOLLEYS = (0.0, 0.35, 0.85, 1.4)  # seconds after the start
IN_ALL = 16  # different LOCATIONs, and each costs a look at what is there
MAX_LINKS = 16
_GLANCE = 0.02  # seconds
_log = logging.getLogger("portmap.upnp")


@dataclass(frozen=True, slots=True)
class Search6:
    """Whom to ask and for how long (seconds). `multicast` None: only the routers."""

    routers: Callable[[], Sequence[IPv6Address]] = default_gateways6
    multicast: str | None = GROUP
    port: int = ssdp.PORT
    patience: float = 2.5

    def sightings(self, ours: IPv6Address) -> Iterator[Location6 | None]:
        """Who answers with a good LOCATION, each once; None whenever there is a moment without news.

        Raises NoGateway where there is no socket to be had.
        """
        seen: set[Location6] = set()
        began, volleys = time.monotonic(), list(VOLLEYS)
        with ExitStack() as stack:
            socks = [stack.enter_context(closing(_open(source))) for source in (str(ours), "::")]
            while (passed := time.monotonic() - began) < self.patience:
                if volleys and passed >= volleys[0]:
                    volleys.pop(0)
                    self._ask(socks)
                for location in _receive(socks, ours):
                    if location not in seen and len(seen) < IN_ALL:
                        seen.add(location)
                        yield location
                yield None

    def _ask(self, socks: Sequence[socket.socket]) -> None:
        request = ssdp.m_search(TARGET, f"[{GROUP.upper()}]")
        routers = self.routers()
        groups = [f"{self.multicast}%{zone}" for zone in _zones(routers)] if self.multicast else []
        for host in (*map(str, routers), *groups):
            for sock in socks:
                _send(sock, request, host, self.port)


def _zones(routers: Sequence[IPv6Address]) -> list[str]:
    """The links of the routers; all of ours where the system does not tell its routers."""
    told = dict.fromkeys(router.scope_id for router in routers if router.scope_id)
    return list(told) or [str(index) for index, _ in socket.if_nameindex()][:MAX_LINKS]


def _open(source: str) -> socket.socket:
    with ExitStack() as undo:
        try:
            sock = undo.enter_context(closing(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)))
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, ssdp.TTL)
            sock.setblocking(False)
            sock.bind((source, 0))
        except OSError as error:
            raise NoGateway(f"no IPv6 socket to search with: {error.strerror}; is the network up?") from error
        undo.pop_all()
        return sock


def _send(sock: socket.socket, request: bytes, host: str, port: int) -> None:
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV  # nothing is looked up; a zone becomes its number
    try:
        where = socket.getaddrinfo(host, port, socket.AF_INET6, socket.SOCK_DGRAM, flags=flags)[0][4]
        sock.sendto(request, where)
    except OSError as error:  # one way that is shut does not close the others
        _log.debug("M-SEARCH to [%s]:%d not sent: %s", host, port, error.strerror)
    else:
        _log.debug("-> [%s]:%d %r", host, port, request)


def _receive(socks: Sequence[socket.socket], ours: IPv6Address) -> Iterator[Location6]:
    """What comes within a moment, as far as it is good."""
    poll = select.poll() if hasattr(select, "poll") else None  # a select() knows no descriptors above 1023
    if poll is None:
        ready = select.select(socks, [], [], _GLANCE)[0]
    else:
        numbers = {sock.fileno(): sock for sock in socks}
        for number in numbers:
            poll.register(number, select.POLLIN)
        ready = [numbers[number] for number, _ in poll.poll(_GLANCE * 1000)]
    for sock in ready:
        location = _read(sock, ours)
        if location:
            yield location


def _read(sock: socket.socket, ours: IPv6Address) -> Location6 | None:
    try:
        datagram, sender = sock.recvfrom(ssdp.MAX_DATAGRAM + 1)
    except OSError:  # an earlier question found a port shut
        return None
    host = IPv6Address(socket.getnameinfo(sender, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)[0])  # with its zone
    _log.debug("<- [%s] %r", host, datagram)
    try:
        return parse_location6(ssdp.parse_answer(datagram).location, host, ours)
    except Garbled as error:
        _log.debug("answer of %s ignored: %s", host, error)
        return None
