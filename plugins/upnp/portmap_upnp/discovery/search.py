"""The SSDP search, IPv4 and IPv6: thin sockets.

Everything is asked at once, by multicast and each likely gateway by itself: some answer only one of the two, and a
host's firewall lets in the answer to a packet of ours. Answers stream out as they come.

Rules:
- questions to the group, to the gateways and to a sender leave from different sockets (`Asked`). Another host on the
  network sees the port of the first and can forge answers to it; the port of the others only the asked hosts know;
- an answer to a unicast question is proof that the device is at its address. Without that proof only an answer from a
  default gateway counts, and only where its LOCATION has no query; any other sender is first asked by unicast itself;
- an answer to the gateways' question is a gateway's, also from another address of its own;
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
from enum import Enum
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from selectors import EVENT_READ, DefaultSelector
from threading import Event
from typing import NamedTuple, TypeAlias

from portmap.errors import Garbled
from portmap.model import Address
from portmap.network.interface import check_has_ipv4
from portmap.network.routes import default_gateways, default_gateways6, guessed_gateways, local_address_to
from portmap_upnp.discovery import ssdp
from portmap_upnp.discovery.answer_quota import PER_HOST, AnswerQuota
from portmap_upnp.discovery.search_sockets import egresses, open_socket, receive, send, zones
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

_GLANCE = 0.05  # seconds between looks at `stop`
_log = logging.getLogger("portmap.upnp")


Refuse: TypeAlias = Callable[[str], None]
"""Is told why an answer is not followed."""


class Asked(Enum):
    """To whom a question went: each has its sockets, so an answer's socket tells which question it answers."""

    GATEWAYS = "gateways"
    SENDER = "sender"
    GROUP = "group"


class DeviceSeen(NamedTuple):
    """A device that answered: the vetted LOCATION, the BOOTID, and the LOCATION as written if it named another host."""

    location: Location
    boot: str = ""
    named: str = ""
    is_gateway: bool = False
    """It is at a default gateway's address, or answered a question that only default gateways were asked: then this is
    another address of one."""


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
            self._asking = {
                asked: [undo.enter_context(closing(open_socket(source, search.interface))) for source in sources]
                for asked in Asked
            }
            self._sockets = undo.pop_all()
        self._gateways: frozenset[Address] = frozenset()
        self._asked_loopback = False
        self._seen: dict[Location, bool] = {}  # whether it is known to be a gateway's
        self._quota = AnswerQuota()

    def ask(self, targets: Sequence[str]) -> None:
        """Ask the gateways and the group for each of the targets."""
        gateways = self._search.gateways()
        hosts = gateways or self._search.guesses()
        self._gateways = frozenset(gateways)
        self._asked_loopback = any(host.is_loopback for host in hosts)
        for target in targets:
            for host in hosts:
                self._ask_host(Asked.GATEWAYS, host, target)
            if self._search.multicast:
                self._ask_group(target, self._search.multicast, hosts)

    def answers(self, stop: Event) -> Iterator[DeviceSeen]:
        """The good answers as they come, with the further questions between them."""
        began = time.monotonic()
        due = list(self._search.send_times[1:])
        with self._sockets, DefaultSelector() as selector:
            for asked, sockets in self._asking.items():
                for sock in sockets:
                    selector.register(sock, EVENT_READ, asked)
            while not stop.is_set() and (now := time.monotonic()) < began + self._search.timeout:
                if due and now >= began + due[0][0]:
                    self.ask(due.pop(0)[1])
                for key, _ in selector.select(_GLANCE):
                    if isinstance(key.fileobj, socket.socket) and (device := self._receive(key.fileobj, key.data)):
                        yield device

    def _ask_host(self, asked: Asked, host: Address, target: str) -> None:
        for sock in self._asking[asked]:
            send(sock, self._request(target), str(host), self._search.port)

    def _ask_group(self, target: str, group: str, gateways: Sequence[Address]) -> None:
        request = self._request(target)
        sockets = self._asking[Asked.GROUP]
        if self._ours is None:
            for egress in egresses(gateways, self._search.interface):
                send(sockets[0], request, group, self._search.port, egress)
            return
        for zone in zones(gateways) if self._search.interface is None else [self._search.interface]:
            for sock in sockets:
                send(sock, request, f"{group}%{zone}", self._search.port)

    def _request(self, target: str) -> bytes:
        return ssdp.m_search(target, ssdp.ADDRESS if self._ours is None else f"[{ssdp.ADDRESS6.upper()}]")

    def _receive(self, sock: socket.socket, asked: Asked) -> DeviceSeen | None:
        """The next answer; None for nothing yet, or nothing good."""
        received = receive(sock)
        if received is None:
            return None
        datagram, host = received
        try:
            return self._judge(host, ssdp.parse_answer(datagram), asked)
        except Garbled as error:
            _log.debug("answer of %s ignored: %s", host, error)
            reason = f"{host} answered, and is not followed: {error}"
            if host in self._gateways and reason not in self._refused and len(self._refused) < PER_HOST:
                self._refused.add(reason)
                self._refuse(reason)
            return None

    def _judge(self, host: Address, answer: ssdp.SearchAnswer, asked: Asked) -> DeviceSeen | None:
        """The device that answered, if it is worth a look now. Raises Garbled."""
        is_gateway = host in self._gateways
        is_a_gateways = is_gateway or (asked is Asked.GATEWAYS and self._is_routed_by(host))
        proves = asked is not Asked.GROUP
        if host.is_loopback and not self._asked_loopback:
            raise Garbled("the answer came from a loopback address that was not asked")
        location = parse_location(answer.location, host, self._ours, self._search.interface)
        if self._seen.get(location) or (location in self._seen and not is_a_gateways):
            return None  # else it is new, or known to be a gateway's only now
        if not proves and (not is_gateway or location.has_query):
            if self._quota.has_room_to_ask(host):
                usual = self._search.send_times[0][1][0]
                self._ask_host(Asked.SENDER, host, answer.target if answer.target in ssdp.TARGETS else usual)
            return None
        if location.has_query and not is_gateway:
            raise Garbled(f"{location} has a query, and {host} is no default gateway: not followed")
        if not self._quota.has_room(host, is_gateway, proves):
            return None
        self._seen[location] = is_a_gateways
        named = "" if names_host(answer.location, host) else answer.location[:80]
        return DeviceSeen(location, answer.boot, named, is_a_gateways)

    def _is_routed_by(self, host: Address) -> bool:
        """Whether the routes name gateways by this kind of address."""
        return any(host.is_link_local == gateway.is_link_local for gateway in self._gateways)


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
