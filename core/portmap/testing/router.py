"""The simulated router: NAT-PMP and UPnP IGD on loopback with real sockets, really relaying TCP and UDP.

    with Router(loopback_address(), quirks=Quirks(other_port=True)) as router:
        ...                                 # speak NAT-PMP to (router.address, router.pmp_port)
        assert router.heard == Heard(map=1)
        connect((router.outside, router.entries[0].external_port))   # arrives at the internal client

Law: it binds what it is told to and nothing else, and sends to nobody who has not asked. All state belongs to the
reactor's thread; what other threads see are frozen values. Leases and epoch run on `clock`, delays in real seconds.
"""

import logging
import math
import time
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Self

from portmap.errors import PortmapError
from portmap.testing import natpmp, ssdp, upnp, web
from portmap.testing.box import Box
from portmap.testing.datagrams import Datagrams, Hear, Peer, joined
from portmap.testing.description import Device
from portmap.testing.heard import Heard
from portmap.testing.loopback import loopback_address
from portmap.testing.quirks import Quirks
from portmap.testing.reactor import Reactor
from portmap.testing.relay import Relays
from portmap.testing.table import Entry
from portmap.testing.webserver import WebServer
from portmap.testing.wire import Wire

log = logging.getLogger("portmap.testing")
GLANCE = 0.05  # seconds between looks at the clock while leases run: a scripted one may jump


class Router:
    """One router, from `with` or `start()` until `close()`. Port 0: any; `outside` None: a loopback address of its own.

    `address` is where its LAN speaks to it, `outside` where the world would. `uptime`: seconds that it has been up
    already; a client can tell a reboot by the epoch only from an uptime of a few seconds on (RFC 6886 §3.6).
    Raises PortmapError where a port is taken.
    """

    def __init__(
        self,
        address: str = "127.0.0.1",
        *,
        outside: str | None = None,
        external_ip: str = "1.2.3.4",
        pmp: bool = True,
        upnp: bool = True,
        pmp_port: int = natpmp.PORT,
        ssdp_port: int = 0,
        http_port: int = 0,
        igd: int = 1,
        uptime: float = 0.0,
        quirks: Quirks | None = None,
        clock: Callable[[], float] = time.monotonic,
        random: Random | None = None,
    ) -> None:
        self.address = address
        self.outside = outside or loopback_address()
        self.pmp_port, self.ssdp_port, self.http_port = pmp_port, ssdp_port, http_port
        self._pmp, self._upnp = pmp, upnp
        self._clock = clock
        self._heard = Heard()
        self._boot = 0
        self._web: WebServer | None = None
        self._ports: list[Datagrams] = []
        self._box = Box(external_ip, quirks or Quirks(), booted=clock() - uptime, igd=igd)
        self._wire = Wire(self._box, random or Random())  # noqa: S311  # a die, not a secret
        self._reactor = Reactor(f"router {address}", self._tick)
        self._relays = Relays(self._reactor, self.outside)
        self._box.usable = self._relays.usable

    def start(self) -> Self:
        """Open the sockets and begin to answer."""
        try:
            self._open()
        except PortmapError:
            self.close()
            raise
        self._reactor.start()
        return self

    def close(self) -> None:
        """Close every socket and forward no more. What was heard and what is mapped can still be read."""
        self._reactor.run(self._shut)
        self._reactor.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def heard(self) -> Heard:
        """What has arrived so far."""
        return self._heard

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What is mapped now, in the order in which it was made."""
        return self._reactor.run(lambda: self._box.table.alive(self._clock()))

    @property
    def description_url(self) -> str:
        """Where the UPnP root description is; elsewhere after a reboot with `new_control_port`."""
        return self._device().location

    @property
    def external_ip(self) -> str:
        """The address that the router says it has, any text: empty, private, reserved, nonsense."""
        return self._box.external_ip

    @external_ip.setter
    def external_ip(self, address: str) -> None:
        self._box.external_ip = str(address)

    @property
    def quirks(self) -> Quirks:
        """What is wrong with it; replaceable while it runs."""
        return self._box.quirks

    @quirks.setter
    def quirks(self, quirks: Quirks) -> None:
        self._box.quirks = quirks
        self._wire.begin_again()

    def reboot(self, *, downtime: float = 0.0, new_control_port: bool = False) -> None:
        """Cut every connection and forget every mapping; the epoch begins anew.

        For `downtime` seconds nothing is heard or answered. `new_control_port`: HTTP is elsewhere afterwards.
        """
        self._reactor.run(partial(self._go_down, downtime, new_control_port=new_control_port))

    def _go_down(self, downtime: float, *, new_control_port: bool) -> None:
        self._wire.down = True
        self._box.reboot(self._clock())
        self._boot += 1
        self._follow()
        if self._web is not None and new_control_port:
            old, self._web = self._web, self._serve_http(port=0)
            old.close()
        elif self._web is not None:
            self._web.hang_up()
        self._reactor.later(downtime, self._come_up)

    def _come_up(self) -> None:
        self._box.reboot(self._clock())
        self._wire.down = False

    def _open(self) -> None:
        if self._pmp:
            self.pmp_port = self._listen(self.pmp_port, self._hear_pmp).port
        if self._upnp:
            self._web = self._serve_http(self.http_port)
            searches = self._listen(self.ssdp_port, self._hear_ssdp)
            self.ssdp_port = searches.port
            if self.ssdp_port == ssdp.PORT:
                self._join(searches)

    def _shut(self) -> None:
        self._wire.down = True
        self._follow()
        while self._ports:
            self._ports.pop().close()
        if self._web is not None:
            self._web.close()
            self._web = None

    def _listen(self, port: int, hear: Hear) -> Datagrams:
        self._ports.append(Datagrams(self._reactor, (self.address, port), self._box, self._wire, hear))
        return self._ports[-1]

    def _serve_http(self, port: int) -> WebServer:
        server = WebServer(self._reactor, (self.address, port), self._box, self._wire, self._hear_http)
        self.http_port = server.port
        return server

    def _join(self, searches: Datagrams) -> None:
        """Hear searches that are multicast too, where the system lets us: unicast works without."""
        try:
            searches.also(joined(ssdp.GROUP, ssdp.PORT, self.address))
        except PortmapError as error:
            log.info("no multicast searches: %s", error)

    def _device(self) -> Device:
        return Device(self.address, self.http_port, self._box.igd, self._boot)

    def _hear_pmp(self, data: bytes, peer: Peer) -> tuple[bytes, ...]:
        request = natpmp.read(data)
        self._count(request.heard if request else "unknown")
        if request is None:
            return ()
        answer = natpmp.answer(request, peer[0], self._box, self._clock())
        self._follow()  # the port is open before the client hears so
        return (answer,)

    def _hear_ssdp(self, data: bytes, _peer: Peer) -> tuple[bytes, ...]:
        search = ssdp.read(data)
        self._count("search" if search else "unknown")
        return ssdp.answers(search, self._device()) if search else ()

    def _hear_http(self, request: web.Request, client: str) -> web.Response:
        heard, response = upnp.respond(request, client, self._device(), self._box, self._clock())
        self._count(heard)
        self._follow()
        return response

    def _count(self, name: str) -> None:
        self._heard = self._heard.plus(name)

    def _follow(self) -> None:
        """Bring the relays in line with the table; while the router is down it relays nothing."""
        self._relays.follow(() if self._wire.down else self._box.table.alive(self._clock()))

    def _tick(self) -> float:
        """Shut what has run out; seconds until the next look."""
        self._follow()
        left = self._box.table.next_expiry() - self._clock()
        return left if math.isinf(left) else min(left, GLANCE)
