"""The SSDP search: thin sockets.

Law: everybody is asked at once, by multicast and each likely gateway by itself (some answer only one of the two; a
host's firewall lets in the answer to a packet of ours). Answers stream out as they come: who is first does not matter.

The target that nearly every gateway answers goes a moment ahead of the others: miniupnpd takes 52 ms to answer it
alone and 70 to 140 ms when the other questions come with it.
"""

import logging
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from threading import Event

from portmap.errors import Garbled, NoGateway
from portmap.network.routes import gateway_candidates, local_address_to
from portmap_upnp.discovery import ssdp
from portmap_upnp.location import Location, parse_location

SEND_TIMES = (
    (0.0, ssdp.TARGETS[:1]),
    (0.1, ssdp.TARGETS[1:]),
    (0.35, ssdp.TARGETS),
    (0.85, ssdp.TARGETS),
    (1.4, ssdp.TARGETS[:1]),
    (1.9, ssdp.TARGETS[:1]),
)
"""(seconds after the start, targets): a datagram is easily lost, asking again costs little, and a gateway that is just
starting hears a later one."""

PER_HOST = 4  # different LOCATIONs that one host may name: a flood of them is none of our business
IN_ALL = 16
_GLANCE = 0.05  # seconds between looks at `stop`
_log = logging.getLogger("portmap.upnp")


@dataclass(frozen=True, slots=True)
class DeviceSeen:
    """Somebody who answered: the vetted LOCATION and the BOOTID, as `ssdp.Answer` has them."""

    location: Location
    boot: str = ""


@dataclass(frozen=True, slots=True)
class Search:
    """Whom to ask and for how long (seconds). `multicast` None: only the gateways."""

    gateways: Callable[[], Sequence[IPv4Address]] = gateway_candidates
    multicast: str | None = ssdp.ADDRESS
    port: int = ssdp.PORT
    patience: float = 2.5

    def at(self, host: IPv4Address) -> "Search":
        """The same at one host only."""
        return replace(self, gateways=lambda: (host,), multicast=None)

    def devices(self, stop: Event) -> Iterator[DeviceSeen]:
        """Who answers with a good LOCATION, each LOCATION once; ends with the patience, or soon after `stop`.

        Asks at once, before it returns. Raises NoGateway where there is no socket to be had.
        """
        sock = _open()
        self._ask(sock, SEND_TIMES[0][1])
        return _distinct(self._answers(sock, stop))

    def _answers(self, sock: socket.socket, stop: Event) -> Iterator[DeviceSeen]:
        began = time.monotonic()
        due = list(SEND_TIMES[1:])
        with closing(sock):
            while not stop.is_set() and (now := time.monotonic()) < began + self.patience:
                if due and now >= began + due[0][0]:
                    self._ask(sock, due.pop(0)[1])
                sighting = _receive(sock)
                if sighting:
                    yield sighting

    def _ask(self, sock: socket.socket, targets: Sequence[str]) -> None:
        gateways = self.gateways()
        for target in targets:
            request = ssdp.m_search(target)
            for gateway in gateways:
                _send(sock, request, str(gateway), self.port)
            if self.multicast:
                for egress in _egresses(gateways):
                    _send(sock, request, self.multicast, self.port, egress)


def _open() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, ssdp.TTL)
        sock.settimeout(_GLANCE)
        sock.bind(("", 0))
    except OSError as error:
        sock.close()
        raise NoGateway(f"no socket to search with: {error.strerror}; is the network up?") from error
    return sock


def _egresses(gateways: Sequence[IPv4Address]) -> list[IPv4Address]:
    """Our own addresses on the ways to the gateways: a VPN or a container bridge must not swallow the multicast."""
    ours: dict[IPv4Address, None] = {}
    for gateway in gateways:
        try:
            ours[local_address_to(gateway)] = None
        except NoGateway as error:
            _log.debug("no search by multicast: %s", error)
    return list(ours) or [IPv4Address(0)]  # 0.0.0.0: as the system likes


def _send(sock: socket.socket, request: bytes, host: str, port: int, egress: IPv4Address | None = None) -> None:
    """Send, a multicast from our own address `egress`."""
    try:
        if egress is not None:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, egress.packed)
        sock.sendto(request, (host, port))
    except OSError as error:  # one way that is shut does not close the others; nobody answering says it all
        _log.debug("M-SEARCH to %s:%d not sent: %s", host, port, error.strerror)
    else:
        _log.debug("-> %s:%d %r", host, port, request, extra={"wire": _wire("out", host, port, request)})


def _receive(sock: socket.socket) -> DeviceSeen | None:
    """The next answer; None for nothing yet, or nothing good."""
    try:
        datagram, (host, port) = sock.recvfrom(ssdp.MAX_DATAGRAM + 1)
    except OSError:  # time for a glance, or (Windows) a port that an earlier question found shut
        return None
    _log.debug("<- %s:%d %r", host, port, datagram, extra={"wire": _wire("in", host, port, datagram)})
    try:
        answer = ssdp.parse_answer(datagram)
        return DeviceSeen(parse_location(answer.location, IPv4Address(host)), answer.boot)
    except Garbled as error:
        _log.debug("answer of %s ignored: %s", host, error)
        return None


def _wire(way: str, host: str, port: int, data: bytes) -> dict[str, object]:
    """The datagram for whoever captures the wire (`portmap.doctor.capture`)."""
    return {"way": way, "over": "ssdp", "peer": f"{host}:{port}", "data": data}


def _distinct(sightings: Iterator[DeviceSeen]) -> Iterator[DeviceSeen]:
    seen: set[Location] = set()
    by_host: Counter[IPv4Address] = Counter()
    for sighting in sightings:
        location = sighting.location
        if location not in seen and by_host[location.host] < PER_HOST and len(seen) < IN_ALL:
            seen.add(location)
            by_host[location.host] += 1
            yield sighting
