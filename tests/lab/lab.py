"""The lab: a LAN host and its neighbour, a real router, and a host on the internet.

    host 192.168.77.2 ──┐
                        ├── lan 192.168.77.1 [router: miniupnpd] wan 11.22.33.1 ── internet 11.22.33.254
    neighbour …77.3 ────┘

A second router can take the first one's place: 192.168.88.1 inside, 12.34.56.1 outside.

With `Lab(ipv6=True)` the three have IPv6 besides, without NAT: the LAN is 2a00:77::/64 with the same last numbers, its
gateway fe80::1; outside is 2a00:11::/64. New connections from outside are dropped unless miniupnpd opened a pinhole.

Nothing leaves the namespaces: the addresses outside belong to others on the real internet, and to the lab in here.
"""

import itertools
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Self

from tests.lab.command import Portmap
from tests.lab.namespace import Namespace, sweep
from tests.lab.router import LAN, LINK6, WAN6, Build, Router
from tests.lab.traffic import LATE, Service, Vigil, knock, seconds_until_open

HOST = "192.168.77.2"
NEIGHBOUR = "192.168.77.3"
INTERNET = "11.22.33.254"

HOST6 = "2a00:77::2"
NEIGHBOUR6 = "2a00:77::3"
INTERNET6 = "2a00:11::254"

OTHER_LAN, OTHER_HOST = "192.168.88.1", "192.168.88.2"
OTHER_WAN, OTHER_INTERNET = "12.34.56.1", "12.34.56.254"

GIVEN_UP = 30.0  # seconds; a port that is still shut then will not open by itself

_numbers = itertools.count()


class Lab:
    """Three machines and a neighbour, made on entry and gone on exit."""

    lan: Namespace
    neighbour: Namespace
    router: Router
    internet: Namespace

    def __init__(self, *, ipv6: bool = False, one_link_local: bool = False, build: Build = "nftables") -> None:
        self._ipv6 = ipv6
        self._one_link_local = one_link_local
        self._build_of_miniupnpd = build

    def __enter__(self) -> Self:
        sweep()
        with ExitStack() as stack:
            self._build(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def serve(self, port: int, host: Namespace | None = None) -> None:
        """Start the service that answers on this port of the LAN host, TCP and UDP, whatever the host's address.

        `host`: on this one instead.
        """
        service = (host or self.lan).inside(lambda: Service("::" if self._ipv6 else "", port))
        self._stack.callback(service.close)

    def bytes_arrive(self, protocol: str, external_port: int, *, within: float = 0, late: float = 0) -> bool:
        """Whether bytes sent by the internet host to the router's outer address reach a service in the LAN.

        `within` is the number of seconds to keep trying, `late` as in `knock`.
        """
        deadline = time.monotonic() + within
        while not self.internet.inside(lambda: knock(protocol, self.router.wan, external_port, late=late)):
            if time.monotonic() >= deadline:
                return False
        return True

    def seconds_until_bytes_arrive(self, portmap: Portmap) -> float:
        """How long it takes until TCP and UDP are open at the ports that the command tells. Raises TimeoutError."""
        return self._seconds_until_both(self.router.wan, portmap.port)

    def seconds_until_bytes_arrive_by_ipv6(self, port: int) -> float:
        """How long it takes until TCP and UDP are open at the LAN host's own address. Raises TimeoutError."""
        return self._seconds_until_both(HOST6, lambda _: port)

    def _seconds_until_both(self, address: str, port: Callable[[str], int]) -> float:
        begun, latest = time.monotonic(), 0.0
        for protocol in ("TCP", "UDP"):
            before = time.monotonic() - begun
            work = partial(seconds_until_open, protocol, address, partial(port, protocol), GIVEN_UP)
            latest = max(latest, before + self.internet.inside(work))
        return latest

    def bytes_arrive_by_ipv6(self, protocol: str, port: int, address: str = HOST6) -> bool:
        """Whether bytes sent by the internet host to a LAN host's own address reach a service there."""
        return self.internet.inside(lambda: knock(protocol, address, port))

    def keep_vigil(self, protocol: str, external_port: int) -> Vigil:
        """Begin to check `bytes_arrive` every 100 ms."""
        vigil = Vigil(lambda: self.bytes_arrive(protocol, external_port, late=LATE))
        self._stack.callback(vigil.close)
        return vigil

    def wan_address(self, address: str) -> None:
        """The provider gives the router another outer address."""
        self.router.wan_address(address)

    def host_address(self, address: str, before: str = HOST) -> None:
        """The LAN host gets another address, as by DHCP: the old one goes, and the default route with it."""
        self.lan.ip(f"addr del {before}/24 dev eth0", f"addr add {address}/24 dev eth0")
        self.lan.ip(f"route replace default via {self.router.lan}")

    def buy_router(self) -> Router:
        """Another router, on the internet already; no host is plugged into it yet."""
        router = Router(f"{self._prefix}-other", self._home, OTHER_LAN, OTHER_WAN)
        self._stack.enter_context(router)
        router.ip(
            "link add lan type bridge mcast_snooping 0",
            "link add host type veth peer name unplugged",  # where the cable of the LAN host will be
            f"link add wan type veth peer name eth1 netns {self.internet.name}",
        )
        self.internet.ip(f"addr add {OTHER_INTERNET}/8 dev eth1", "link set eth1 up")
        router.configure()
        return router

    def move_to(self, router: Router) -> None:
        """The LAN host is unplugged, and plugged into the other router's network; the old one runs on without it."""
        self.router.ip("link delete host")
        router.ip("link delete host", f"link add host type veth peer name eth0 netns {self.lan.name}")
        router.ip("link set host master lan up")
        self.router = router
        _attach(self.lan, OTHER_HOST, router.lan)

    def _build(self, stack: ExitStack) -> None:
        self._prefix = f"pm-{os.getpid()}-{next(_numbers)}"
        self._home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="portmap-lab-")))
        self.router = Router(
            f"{self._prefix}-router",
            self._home,
            ipv6=self._ipv6,
            one_link_local=self._one_link_local,
            build=self._build_of_miniupnpd,
        )
        self.lan, self.neighbour, self.internet = (
            Namespace(f"{self._prefix}-{role}", ipv6=self._ipv6) for role in ("host", "neighbour", "internet")
        )
        for namespace in (self.router, self.lan, self.neighbour, self.internet):
            stack.enter_context(namespace)
        self._lay_cables()
        self.router.configure()
        _attach(self.lan, HOST, LAN)
        _attach(self.neighbour, NEIGHBOUR, LAN)
        self.internet.ip(f"addr add {INTERNET}/8 dev eth0", "link set eth0 up")
        if self._ipv6:
            _attach_by_ipv6(self.lan, HOST6, LINK6)
            _attach_by_ipv6(self.neighbour, NEIGHBOUR6, LINK6)
            _attach_by_ipv6(self.internet, INTERNET6, WAN6)

    def _lay_cables(self) -> None:
        # The bridge floods multicast to everybody, as a cheap switch does, so that SSDP needs no querier.
        self.router.ip(
            "link add lan type bridge mcast_snooping 0",
            f"link add host type veth peer name eth0 netns {self.lan.name}",
            f"link add neighbour type veth peer name eth0 netns {self.neighbour.name}",
            f"link add wan type veth peer name eth0 netns {self.internet.name}",
            "link set host master lan up",
            "link set neighbour master lan up",
        )


def _attach(host: Namespace, address: str, gateway: str) -> None:
    host.ip(f"addr add {address}/24 dev eth0", "link set eth0 up", f"route add default via {gateway}")


def _attach_by_ipv6(host: Namespace, address: str, gateway: str) -> None:
    """As if by router advertisement: the gateway is a link-local address."""
    host.ip(f"addr add {address}/64 dev eth0 nodad", f"route add default via {gateway} dev eth0")
