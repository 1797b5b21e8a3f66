"""The SSDP search, IPv4 and IPv6: thin sockets.

Everything is asked at once, by multicast and each likely gateway by itself: some answer only one of the two, and a
host's firewall lets in the answer to a packet of ours. Answers stream out as they come.

Rules:
- multicast questions and unicast questions leave from different sockets. Another host on the network sees the port of
  the first and can forge answers to it; the port of the second is known to the asked host only;
- an answer to the unicast socket is proof that the device is at its address. Without that proof only an answer from a
  default gateway counts, and only where its LOCATION has no query; any other sender is first asked by unicast itself;
- each sender has a quota (`AnswerQuota`);
- a loopback address answers only where a loopback address was asked.

The target that nearly every gateway answers goes a moment ahead of the others: miniupnpd takes 52 ms to answer it
alone and 70 to 140 ms when the other questions come with it.
"""

import logging
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address
from selectors import EVENT_READ, DefaultSelector
from threading import Event
from typing import NamedTuple, TypeAlias

from portmap.errors import Garbled, NoGateway
from portmap.model import Address
from portmap.network.interface import check_has_ipv4, use_interface
from portmap.network.routes import default_gateways, default_gateways6, guessed_gateways, local_address_to
from portmap_upnp.discovery import ssdp
from portmap_upnp.discovery.answer_quota import PER_HOST, AnswerQuota
from portmap_upnp.location import Location, names_host, parse_location

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

SEND_TIMES6 = tuple((after, (ssdp.FIREWALL_TARGET,)) for after in (0.0, 0.35, 0.85, 1.4))

MAX_LINKS = 16
_GLANCE = 0.05  # seconds between looks at `stop`
_log = logging.getLogger("portmap.upnp")


Refuse: TypeAlias = Callable[[str], None]
"""Is told why an answer is not followed."""


class DeviceSeen(NamedTuple):
    """A device that answered: the vetted LOCATION, the BOOTID, and the LOCATION as written if it named another host."""

    location: Location
    boot: str = ""
    named: str = ""
    is_gateway: bool = False
    """It answered a question that only the default gateways were asked, maybe from another address of its own."""


class Search(NamedTuple):
    """Where to ask and for how long (seconds). `multicast` None: only the gateways.

    `interface`: the one of this host to ask by; None: the routing table decides. `guesses` are asked only while there
    are no gateways, and are believed no more than any other host.
    """

    gateways: Callable[[], Sequence[Address]] = default_gateways
    multicast: str | None = ssdp.ADDRESS
    port: int = ssdp.PORT
    timeout: float = 2.5
    send_times: tuple[tuple[float, tuple[str, ...]], ...] = SEND_TIMES
    interface: str | None = None
    guesses: Callable[[], Sequence[Address]] = list

    @classmethod
    def on(cls, interface: str | None) -> "Search":
        """The search by this interface."""
        guesses = partial(guessed_gateways, interface)
        return cls(partial(default_gateways, interface), interface=interface, guesses=guesses)

    @classmethod
    def for_firewalls(cls, interface: str | None = None) -> "Search":
        """The search for devices that open IPv6 pinholes."""
        return cls(partial(default_gateways6, interface), ssdp.ADDRESS6, send_times=SEND_TIMES6, interface=interface)

    def at(self, host: Address) -> "Search":
        """The same at one host only."""
        return self._replace(gateways=lambda: (host,), multicast=None, guesses=list)

    def hosts(self) -> Sequence[Address]:
        """Whom to ask: the gateways, or the guesses where there are none."""
        return self.gateways() or self.guesses()

    def devices(
        self, stop: Event, ours: IPv6Address | None = None, refuse: Refuse = lambda _: None
    ) -> Iterator[DeviceSeen]:
        """The devices that answer with a good LOCATION, each LOCATION once; ends at the timeout, or after `stop`.

        `ours` is our global address, for a search by IPv6. `refuse` is told why a gateway's answer is not followed.
        Asks at once, before it returns. Raises NoGateway where there is no socket to be had.
        """
        running = _RunningSearch(self, ours, refuse)
        running.ask(self.send_times[0][1])
        return running.answers(stop)


class _RunningSearch:
    """One search: its sockets, and what has been seen so far."""

    def __init__(self, search: Search, ours: IPv6Address | None, refuse: Refuse = lambda _: None) -> None:
        self._search = search
        self._refuse = refuse
        self._refused: set[str] = set()
        self._ours = ours
        # We ask from our global IPv6 address and from our link-local one: a gateway answers from its own address of
        # that kind.
        sources = (_source(search),) if ours is None else (str(ours), "::")
        with ExitStack() as undo:
            self._unicast = [undo.enter_context(closing(_open(source, search.interface))) for source in sources]
            self._multicast = [undo.enter_context(closing(_open(source, search.interface))) for source in sources]
            self._sockets = undo.pop_all()
        self._gateways: frozenset[Address] = frozenset()
        self._asked_loopback = False
        self._seen: dict[Location, None] = {}
        self._quota = AnswerQuota()

    def ask(self, targets: Sequence[str]) -> None:
        """Ask the gateways and the group for each of the targets."""
        gateways = self._search.gateways()
        hosts = gateways or self._search.guesses()
        self._gateways = frozenset(gateways)
        self._asked_loopback = any(host.is_loopback for host in hosts)
        for target in targets:
            for host in hosts:
                self._ask_host(host, target)
            if self._search.multicast:
                self._ask_group(target, self._search.multicast, hosts)

    def answers(self, stop: Event) -> Iterator[DeviceSeen]:
        """The good answers as they come, with the further questions between them."""
        began = time.monotonic()
        due = list(self._search.send_times[1:])
        with self._sockets, DefaultSelector() as selector:
            for proves, sockets in ((True, self._unicast), (False, self._multicast)):
                for sock in sockets:
                    selector.register(sock, EVENT_READ, proves)
            while not stop.is_set() and (now := time.monotonic()) < began + self._search.timeout:
                if due and now >= began + due[0][0]:
                    self.ask(due.pop(0)[1])
                for key, _ in selector.select(_GLANCE):
                    if isinstance(key.fileobj, socket.socket) and (device := self._receive(key.fileobj, key.data)):
                        yield device

    def _ask_host(self, host: Address, target: str) -> None:
        for sock in self._unicast:
            _send(sock, self._request(target), str(host), self._search.port)

    def _ask_group(self, target: str, group: str, gateways: Sequence[Address]) -> None:
        request = self._request(target)
        if self._ours is None:
            for egress in _egresses(gateways, self._search.interface):
                _send(self._multicast[0], request, group, self._search.port, egress)
            return
        for zone in _zones(gateways) if self._search.interface is None else [self._search.interface]:
            for sock in self._multicast:
                _send(sock, request, f"{group}%{zone}", self._search.port)

    def _request(self, target: str) -> bytes:
        return ssdp.m_search(target, ssdp.ADDRESS if self._ours is None else f"[{ssdp.ADDRESS6.upper()}]")

    def _receive(self, sock: socket.socket, proves: bool) -> DeviceSeen | None:
        """The next answer; None for nothing yet, or nothing good."""
        try:
            datagram, address = sock.recvfrom(ssdp.MAX_DATAGRAM + 1)
        except OSError:  # nothing after all, or a port that an earlier question found closed
            return None
        host = _sender(address)
        _log.debug("<- %s %r", host, datagram, extra={"wire": _wire("in", str(host), address[1], datagram)})
        try:
            return self._judge(host, ssdp.parse_answer(datagram), proves)
        except Garbled as error:
            _log.debug("answer of %s ignored: %s", host, error)
            reason = f"{host} answered, and is not followed: {error}"
            if host in self._gateways and reason not in self._refused and len(self._refused) < PER_HOST:
                self._refused.add(reason)
                self._refuse(reason)
            return None

    def _judge(self, host: Address, answer: ssdp.SearchAnswer, proves: bool) -> DeviceSeen | None:
        """The device that answered, if it is worth a look now. Raises Garbled."""
        is_gateway = host in self._gateways
        if host.is_loopback and not self._asked_loopback:
            raise Garbled("the answer came from a loopback address that was not asked")
        location = parse_location(answer.location, host, self._ours, self._search.interface)
        if location in self._seen:
            return None
        if not proves and (not is_gateway or location.has_query):
            if self._quota.has_room_to_ask(host):
                usual = self._search.send_times[0][1][0]
                self._ask_host(host, answer.target if answer.target in ssdp.TARGETS else usual)
            return None
        if location.has_query and not is_gateway:
            raise Garbled(f"{location} has a query, and {host} is no default gateway: not followed")
        if not self._quota.has_room(host, is_gateway, proves):
            return None
        self._seen[location] = None
        named = "" if names_host(answer.location, host) else answer.location[:80]
        return DeviceSeen(location, answer.boot, named, proves and self._is_a_gateways(host))

    def _is_a_gateways(self, host: Address) -> bool:
        """Whether an answer with proof from this host is a default gateway's, by the kind of address in the routes."""
        is_routed_by = any(host.is_link_local == gateway.is_link_local for gateway in self._gateways)
        return is_routed_by and not self._quota.was_asked(host)


def _sender(address: tuple[object, ...]) -> Address:
    """The sender of a datagram, with its zone."""
    if len(address) == 2:
        return IPv4Address(address[0])
    return ip_address(socket.getnameinfo(address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)[0])  # type: ignore[arg-type]  # as recvfrom gives it


def _source(search: Search) -> str:
    """Our IPv4 address to ask from: by an interface the one towards its gateway, since rules may choose routes by it.

    Raises NoGateway where the interface cannot be used.
    """
    anywhere = "0.0.0.0"  # noqa: S104  # any of ours
    if search.interface is None:
        return anywhere
    check_has_ipv4(search.interface)
    gateway = next((it for it in search.hosts() if isinstance(it, IPv4Address)), None)
    return anywhere if gateway is None else str(local_address_to(gateway, search.interface))


def _open(source: str, interface: str | None) -> socket.socket:
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


def _egresses(gateways: Sequence[Address], interface: str | None) -> list[IPv4Address]:
    """Our own addresses on the ways to the gateways: a VPN or a container bridge must not swallow the multicast."""
    ours: dict[IPv4Address, None] = {}
    for gateway in gateways:
        try:
            if isinstance(gateway, IPv4Address):
                ours[local_address_to(gateway, interface)] = None
        except NoGateway as error:
            _log.debug("no search by multicast: %s", error)
    return list(ours) or [IPv4Address(0)]  # 0.0.0.0: as the system likes


def _zones(gateways: Sequence[Address]) -> list[str]:
    """The links of the routers; all of ours where the system does not tell its routers."""
    told = dict.fromkeys(it.scope_id for it in gateways if isinstance(it, IPv6Address) and it.scope_id)
    return list(told) or [str(index) for index, _ in socket.if_nameindex()][:MAX_LINKS]


def _send(sock: socket.socket, request: bytes, host: str, port: int, egress: IPv4Address | None = None) -> None:
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


def _wire(way: str, host: str, port: object, data: bytes) -> dict[str, object]:
    """The datagram for `portmap.doctor.capture`."""
    return {"way": way, "over": "ssdp", "peer": f"{host}:{port}", "data": data}
