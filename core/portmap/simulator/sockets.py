"""The sockets and the forwarding of the simulated router, and what it does by itself as time goes by.

Law: everything here runs on the reactor's thread. What is answered is `front`'s, what is granted `state`'s; the plant
only opens, closes, relays, and looks whether something has changed that somebody must be told.
"""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ParamSpec, TypeVar

from portmap.errors import PortmapError
from portmap.simulator.handlers import RequestHandlers
from portmap.simulator.loopback import loopback_address
from portmap.simulator.net.announcer import Announcer, doubling, steadily
from portmap.simulator.net.http_server import HttpServer, Serve
from portmap.simulator.net.impairment import Impairment
from portmap.simulator.net.reactor import Reactor
from portmap.simulator.net.relay import PortForwarder
from portmap.simulator.net.udp_port import Hear, Peer, UdpPort, joined
from portmap.simulator.state import RouterState
from portmap.simulator.upnp import ssdp
from portmap.simulator.upnp.event_sender import EventSender

log = logging.getLogger("portmap.testing")
ADDRESS6 = "::1"  # IPv6 has one loopback address; routers there differ by their ports
GLANCE = 0.05  # seconds between looks at the clock while it matters: a scripted one may jump
T = TypeVar("T")
P = ParamSpec("P")


@dataclass(slots=True)
class Ports:
    """Where the router listens (0: any, until it is open; None: not at all), and to whom it speaks unasked.

    Those with a 6 are on ::1.
    """

    mapping: int | None
    ssdp: int | None
    http: int | None
    mapping6: int | None
    ssdp6: int | None
    http6: int | None
    announce: tuple[Peer, ...]
    notify: tuple[Peer, ...]
    pace: float


class RouterSockets:
    """One router's sockets, from `open` until `close`."""

    def __init__(
        self,
        address: str,
        outside: str,
        state: RouterState,
        handlers: RequestHandlers,
        clock: Callable[[], float],
        ports: Ports,
    ) -> None:
        self.reactor = Reactor(f"router {address}", self._tick)
        self.wire = Impairment(state, state.random)
        self._address, self._state, self._handlers, self._clock, self._ports = address, state, handlers, clock, ports
        self._mapping: UdpPort | None = None
        self._searches: UdpPort | None = None
        self._web: HttpServer | None = None
        self._trap: HttpServer | None = None
        self._mapping6: UdpPort | None = None
        self._doors6: list[UdpPort | HttpServer] = []
        self._relays = PortForwarder(self.reactor, outside)
        self._messenger = EventSender(self.reactor, address)
        self._announcer = Announcer(self.reactor, doubling, ports.pace, self._announce)
        self._notifier = Announcer(
            self.reactor, steadily(ssdp.EVERY), ports.pace, partial(self._notify, handlers.alive)
        )
        self._line = self._line_now()
        state.usable = self._relays.usable

    # From open to close.

    def open(self) -> None:
        """Open every socket. Raises PortmapError."""
        if self._ports.mapping is not None:
            self._mapping = self._listen(self._ports.mapping, self._handlers.handle_mapping)
            self._ports.mapping = self._mapping.port
        if self._ports.ssdp is not None and self._ports.http is not None:
            self._open_upnp(self._ports.ssdp, self._ports.http)
        self._open_ipv6(self._ports)
        self._speak()

    def _open_upnp(self, ssdp_port: int, http_port: int) -> None:
        self._serve(http_port)
        self._trap = self._web_server((loopback_address(), 0), self._handlers.handle_trap)
        self._handlers.trap = f"http://{self._trap.address}:{self._trap.port}"
        self._searches = self._listen(ssdp_port, self._handlers.handle_search, astray=self._answers_astray)
        self._ports.ssdp = self._searches.port
        if self._ports.ssdp == ssdp.PORT:
            self._join(self._searches)

    def _open_ipv6(self, ports: Ports) -> None:
        if ports.mapping6 is not None:
            self._mapping6 = self._listen(ports.mapping6, self._handlers.handle_mapping, ADDRESS6)
            ports.mapping6 = self._mapping6.port
            self._doors6.append(self._mapping6)
        if ports.ssdp6 is not None and ports.http6 is not None:
            web = self._web_server((ADDRESS6, ports.http6), self._handlers.handle_http)
            searches = self._listen(ports.ssdp6, self._handlers.handle_search, ADDRESS6, astray=self._answers_astray)
            ports.http6, ports.ssdp6 = web.port, searches.port
            self._doors6 += web, searches

    def close(self) -> None:
        """Close every socket, and end the thread."""
        self.reactor.run(self._shut)
        self.reactor.close()

    def _shut(self) -> None:
        if self._searches is not None and not self.wire.down:
            self._notify(self._handlers.byebye)
        self.wire.down = True
        self._announcer.end()
        self._notifier.end()
        self._messenger.close()
        self._follow()
        for door in (self._mapping, self._searches, self._web, self._trap, *self._doors6):
            if door is not None:
                door.close()
        self._doors6.clear()
        self._mapping6 = None
        self._mapping = self._searches = self._web = self._trap = None

    def _listen(
        self, port: int, hear: Hear, address: str = "", *, astray: Callable[[], bool] = lambda: False
    ) -> UdpPort:
        where, then_follow = (address or self._address, port), self._then_follow(hear)
        return UdpPort(self.reactor, where, self._state, self.wire, then_follow, astray=astray)

    def _answers_astray(self) -> bool:
        return self._state.quirks.other_search_port

    def _serve(self, port: int) -> None:
        self._web = self._web_server((self._address, port), self._handlers.handle_http)
        self._ports.http = self._web.port

    def _web_server(self, where: Peer, serve: Serve) -> HttpServer:
        return HttpServer(self.reactor, where, self._state, self.wire, self._then_follow(serve))

    def _then_follow(self, hear: Callable[P, T]) -> Callable[P, T]:
        """The port is open before the client hears so."""

        def heard(*args: P.args, **kwargs: P.kwargs) -> T:
            answer = hear(*args, **kwargs)
            self._follow()
            return answer

        return heard

    def _join(self, searches: UdpPort) -> None:
        """Hear searches that are multicast too, where the system lets us: unicast works without."""
        try:
            searches.add_socket(joined(ssdp.GROUP, ssdp.PORT, self._address), self._handlers.handle_multicast_search)
        except PortmapError as error:
            log.info("no multicast searches: %s", error)

    # A reboot.

    def go_down(self, *, byebye: bool) -> None:
        """Nothing gets in or out, nobody is remembered."""
        if byebye:
            self._notify(self._handlers.byebye)
        self.wire.down = True
        self._announcer.end()
        self._notifier.end()
        self._handlers.forget_subscribers()

    def hang_up(self, *, elsewhere: bool) -> None:
        """Cut every connection; `elsewhere`: HTTP is on another port from now on."""
        self._follow()
        if self._web is not None and elsewhere:
            old = self._web
            self._serve(port=0)
            old.close()
        elif self._web is not None:
            self._web.hang_up()
        for door in self._doors6:
            if isinstance(door, HttpServer):
                door.hang_up()

    def come_up(self) -> None:
        """Everything works again, and all are told."""
        self.wire.down = False
        self._line = self._line_now()
        self._speak()

    # As time goes by.

    def look(self) -> None:
        """Whether the line has changed: then all are told, and the epoch begins anew, if PCP is spoken (§8.5)."""
        line = self._line_now()
        if line == self._line:
            return
        self._line = line
        if line[1]:
            self._state.cured.clear()
            if self._handlers.speaks_pcp and not self._state.quirks.announces_by_pmp:
                self._state.restart_epoch(self._clock())
            if not self.wire.down:
                self._announcer.begin()

    def _line_now(self) -> tuple[str, bool]:
        return self._state.external_ip, self._state.wan_up(self._clock())

    def _follow(self) -> None:
        """Bring the relays in line with the table; while the router is down it relays nothing."""
        self._relays.follow(() if self.wire.down else self._state.forwarded(self._clock()))

    def _tick(self) -> float:
        """Shut what has run out, tell what has changed; seconds until the next look."""
        self._follow()
        self.look()
        for notice in () if self.wire.down or self._state.quirks.no_announcements else self._handlers.events():
            self._messenger.send(notice)
        if self._state.quirks.wan_flap or self._state.quirks.two_wans:
            return GLANCE
        left = self._state.table.next_expiry() - self._clock()
        return left if math.isinf(left) else min(left, GLANCE)

    # What is said unasked.

    def _speak(self) -> None:
        self._announcer.begin()
        self._notifier.begin()

    def _announce(self) -> None:
        if self._state.quirks.no_announcements:
            return
        for where in self._ports.announce:
            mouth = self._mapping6 if ":" in where[0] else self._mapping
            if mouth is not None:
                for data in self._handlers.announcements(where[0]):
                    mouth.send(data, where)

    def _notify(self, messages: Callable[[], tuple[bytes, ...]]) -> None:
        if self._searches is not None and not self._state.quirks.no_announcements:
            for where in self._ports.notify:
                for data in messages():
                    self._searches.send(data, where)
