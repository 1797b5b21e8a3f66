"""A second router in front of the lab's own: a host that has two gateways in a row before it.

    far 192.168.55.2 ────┐
                         ├── 192.168.55.1 [inner: simulated router] 192.168.77.4 ── the lab's LAN, router and internet
    beside 192.168.55.3 ─┘

Its NAT is the kernel's. The simulated router answers NAT-PMP, PCP and UPnP, states its private outer address (miniupnpd
refuses to map where its own is private), and hands on what arrives at the ports that it opens there.
"""

from contextlib import ExitStack
from functools import partial
from typing import Self

from tests.lab.lab import INTERNET, Lab
from tests.lab.namespace import Namespace
from tests.lab.router import LAN
from tests.lab.traffic import Service

from portmap.testing import Router as SimulatedRouter

FAR, BESIDE, INSIDE = "192.168.55.2", "192.168.55.3", "192.168.55.1"
OUTSIDE = "192.168.77.4"
_NAT = """
table ip nat {
    chain postrouting {
        type nat hook postrouting priority 100;
        oifname "wan" masquerade
    }
}
"""


class InnerRouter:
    """A context manager. `far` is the namespace of the host behind it, `beside` another one, `router` what it opens."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        prefix = lab.router.name.removesuffix("-router")
        self.gateway = Namespace(f"{prefix}-inner")
        self.far = Namespace(f"{prefix}-far")
        self.beside = Namespace(f"{prefix}-beside")
        self.outside = OUTSIDE
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for namespace in (self.gateway, self.far, self.beside):
                stack.enter_context(namespace)
            self._lay_cables()
            self.router = self._start()
            stack.callback(self._stop)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def serve(self, port: int, host: Namespace | None = None) -> None:
        """Start the service that answers on this port of the host behind it, TCP and UDP; or of `host`."""
        self._stack.callback((host or self.far).inside(lambda: Service("", port)).close)

    def move(self, address: str) -> None:
        """It gets another outer address, and has forgotten what it opened."""
        self.router.close()
        self.gateway.ip(f"addr del {self.outside}/24 dev wan", f"addr add {address}/24 dev wan")
        self.gateway.ip(f"route replace default via {LAN}")
        self.outside = address
        self.router = self._start()

    def _start(self) -> SimulatedRouter:
        make = partial(SimulatedRouter, INSIDE, outside=self.outside, external_ip=self.outside, ssdp_port=1900)
        return self.gateway.inside(lambda: make().start())

    def _stop(self) -> None:
        """The one that is there now: `move` puts another in its place."""
        self.router.close()

    def _lay_cables(self) -> None:
        self._lab.router.ip(f"route replace default via {INTERNET}")  # so that it forwards what goes anywhere
        self._lab.router.ip(
            f"link add inner type veth peer name wan netns {self.gateway.name}", "link set inner master lan up"
        )
        self.gateway.ip(
            "link add lan type bridge mcast_snooping 0",
            f"link add far type veth peer name eth0 netns {self.far.name}",
            f"link add beside type veth peer name eth0 netns {self.beside.name}",
            "link set far master lan up",
            "link set beside master lan up",
            f"addr add {INSIDE}/24 dev lan",
            f"addr add {self.outside}/24 dev wan",
            "link set lan up",
            "link set wan up",
            f"route add default via {LAN}",
        )
        self.gateway.set("net/ipv4/ip_forward", 1)
        self.gateway.run(["nft", "-f", "-"], stdin=_NAT)
        for host, address in ((self.far, FAR), (self.beside, BESIDE)):
            host.ip(f"addr add {address}/24 dev eth0", "link set eth0 up", f"route add default via {INSIDE}")
