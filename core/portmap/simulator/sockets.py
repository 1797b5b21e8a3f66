"""RouterSockets: the sockets and the forwarding of the simulated router, and what it does as time goes by.

RequestHandlers decides what is answered, RouterState what is granted; RouterSockets opens, closes and relays, and sends
announcements and events when something has changed. Reactor thread only.
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
from portmap.simulator.net.udp_port import Handle, Peer, UdpPort, joined
from portmap.simulator.state import RouterState
from portmap.simulator.upnp import ssdp
from portmap.simulator.upnp.event_sender import EventSender

log = logging.getLogger("portmap.testing")
ADDRESS6 = "::1"  # IPv6 has one loopback address; routers there differ by their ports
POLL = 0.05  # seconds between looks at the clock while it matters: a scripted one may jump
T = TypeVar("T")
P = ParamSpec("P")


@dataclass(slots=True)
class Ports:
    """Where the router listens (0: any, until it is open; None: not at all), and where its announcements go.

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
        self.impairment = Impairment(state, state.random)
        self._address, self._state, self._handlers, self._clock, self._ports = address, state, handlers, clock, ports
        self._mapping: UdpPort | None = None
        self._ssdp: UdpPort | None = None
        self._http: HttpServer | None = None
        self._trap: HttpServer | None = None
        self._mapping6: UdpPort | None = None
        self._servers6: list[UdpPort | HttpServer] = []
        self._forwarder = PortForwarder(self.reactor, outside)
        self._event_sender = EventSender(self.reactor, address)
        self._announcer = Announcer(self.reactor, doubling, ports.pace, self._announce)
        self._notifier = Announcer(
            self.reactor, steadily(ssdp.EVERY), ports.pace, partial(self._notify, handlers.alive)
        )
        self._line = self._line_now()
        state.usable = self._forwarder.usable

    # From open to close.

    def open(self) -> None:
        """Open every socket. Raises PortmapError."""
        if self._ports.mapping is not None:
            self._mapping = self._listen(self._ports.mapping, self._handlers.handle_mapping)
            self._ports.mapping = self._mapping.port
        if self._ports.ssdp is not None and self._ports.http is not None:
            self._open_upnp(self._ports.ssdp, self._ports.http)
        self._open_ipv6(self._ports)
        self._announce_all()

    def _open_upnp(self, ssdp_port: int, http_port: int) -> None:
        self._serve(http_port)
        self._trap = self._http_server((loopback_address(), 0), self._handlers.handle_trap)
        self._handlers.trap = f"http://{self._trap.address}:{self._trap.port}"
        self._ssdp = self._listen(
            ssdp_port, self._handlers.handle_search, from_other_port=self._answers_from_other_port
        )
        self._ports.ssdp = self._ssdp.port
        if self._ports.ssdp == ssdp.PORT:
            self._join(self._ssdp)

    def _open_ipv6(self, ports: Ports) -> None:
        if ports.mapping6 is not None:
            self._mapping6 = self._listen(ports.mapping6, self._handlers.handle_mapping, ADDRESS6)
            ports.mapping6 = self._mapping6.port
            self._servers6.append(self._mapping6)
        if ports.ssdp6 is not None and ports.http6 is not None:
            web = self._http_server((ADDRESS6, ports.http6), self._handlers.handle_http)
            searches = self._listen(
                ports.ssdp6, self._handlers.handle_search, ADDRESS6, from_other_port=self._answers_from_other_port
            )
            ports.http6, ports.ssdp6 = web.port, searches.port
            self._servers6 += web, searches

    def close(self) -> None:
        """Close every socket, and end the thread."""
        self.reactor.run(self._shut)
        self.reactor.close()

    def _shut(self) -> None:
        if self._ssdp is not None and not self.impairment.down:
            self._notify(self._handlers.byebye)
        self.impairment.down = True
        self._announcer.stop()
        self._notifier.stop()
        self._event_sender.close()
        self._follow()
        for server in (self._mapping, self._ssdp, self._http, self._trap, *self._servers6):
            if server is not None:
                server.close()
        self._servers6.clear()
        self._mapping6 = None
        self._mapping = self._ssdp = self._http = self._trap = None

    def _listen(
        self, port: int, handle: Handle, address: str = "", *, from_other_port: Callable[[], bool] = lambda: False
    ) -> UdpPort:
        where, forwarding = (address or self._address, port), self._forward_after(handle)
        return UdpPort(self.reactor, where, self._state, self.impairment, forwarding, from_other_port=from_other_port)

    def _answers_from_other_port(self) -> bool:
        return self._state.quirks.other_search_port

    def _serve(self, port: int) -> None:
        self._http = self._http_server((self._address, port), self._handlers.handle_http)
        self._ports.http = self._http.port

    def _http_server(self, where: Peer, serve: Serve) -> HttpServer:
        return HttpServer(self.reactor, where, self._state, self.impairment, self._forward_after(serve))

    def _forward_after(self, handle: Callable[P, T]) -> Callable[P, T]:
        """The handler, after which forwarding follows the table: a port is open before the answer says so."""

        def handled(*args: P.args, **kwargs: P.kwargs) -> T:
            answer = handle(*args, **kwargs)
            self._follow()
            return answer

        return handled

    def _join(self, searches: UdpPort) -> None:
        """Handle searches that are multicast too, where the system lets us: unicast works without."""
        try:
            searches.add_socket(joined(ssdp.GROUP, ssdp.PORT, self._address), self._handlers.handle_multicast_search)
        except PortmapError as error:
            log.info("no multicast searches: %s", error)

    # A reboot.

    def go_down(self, *, byebye: bool) -> None:
        """Nothing gets in or out, and all subscribers are forgotten."""
        if byebye:
            self._notify(self._handlers.byebye)
        self.impairment.down = True
        self._announcer.stop()
        self._notifier.stop()
        self._handlers.forget_subscribers()

    def close_connections(self, *, elsewhere: bool) -> None:
        """Cut every connection; `elsewhere`: HTTP is on another port from now on."""
        self._follow()
        if self._http is not None and elsewhere:
            old = self._http
            self._serve(port=0)
            old.close()
        elif self._http is not None:
            self._http.close_connections()
        for server in self._servers6:
            if isinstance(server, HttpServer):
                server.close_connections()

    def come_up(self) -> None:
        """Everything works again, and is announced."""
        self.impairment.down = False
        self._line = self._line_now()
        self._announce_all()

    # As time goes by.

    def check_line(self) -> None:
        """Announce a line that has changed; with PCP the epoch begins anew as well (RFC 6887 §8.5)."""
        line = self._line_now()
        if line == self._line:
            return
        self._line = line
        if line[1]:
            self._state.cured.clear()
            if self._handlers.speaks_pcp and not self._state.quirks.announces_by_pmp:
                self._state.restart_epoch(self._clock())
            if not self.impairment.down:
                self._announcer.start()

    def _line_now(self) -> tuple[str, bool]:
        return self._state.external_ip, self._state.wan_up(self._clock())

    def _follow(self) -> None:
        """Bring the relays in line with the table; while the router is down it relays nothing."""
        self._forwarder.follow(() if self.impairment.down else self._state.forwarded(self._clock()))

    def _tick(self) -> float:
        """Close what has run out, send what has changed; seconds until the next tick."""
        self._follow()
        self.check_line()
        for message in () if self.impairment.down or self._state.quirks.no_announcements else self._handlers.events():
            self._event_sender.send(message)
        if self._state.quirks.wan_flap or self._state.quirks.two_wans:
            return POLL
        left = self._state.table.next_expiry() - self._clock()
        return left if math.isinf(left) else min(left, POLL)

    # What is sent unasked.

    def _announce_all(self) -> None:
        self._announcer.start()
        self._notifier.start()

    def _announce(self) -> None:
        if self._state.quirks.no_announcements:
            return
        for where in self._ports.announce:
            sender = self._mapping6 if ":" in where[0] else self._mapping
            if sender is not None:
                for data in self._handlers.announcements(where[0]):
                    sender.send(data, where)

    def _notify(self, messages: Callable[[], tuple[bytes, ...]]) -> None:
        if self._ssdp is not None and not self._state.quirks.no_announcements:
            for where in self._ports.notify:
                for data in messages():
                    self._ssdp.send(data, where)
