"""A second way out of the LAN host: another router on `eth1`; the lab's own, on `eth0`, has the better route.

router 192.168.77.1 ── eth0 [host] eth1 192.168.88.2 ── 192.168.88.1 [other router] 12.34.56.1 ── internet 12.34.56.254
"""

import json
from enum import Enum

from tests.lab.lab import OTHER_HOST, OTHER_LAN, Lab
from tests.lab.namespace import Namespace
from tests.lab.router import LAN, Router

OTHER = "eth1"
TWIN = "192.168.77.9"


class Way(Enum):
    """How the host's routes have the second router."""

    WORSE = "a default route with a worse metric"
    BY_RULE = "a default route in a table of its own, and a rule for our address there"


def plug_in_second(lab: Lab, way: Way = Way.WORSE, **options: str) -> Router:
    """The host has the second router, too; miniupnpd runs there."""
    router = lab.buy_router()
    router.ip("link delete host", f"link add host type veth peer name {OTHER} netns {lab.lan.name}")
    router.ip("link set host master lan up")
    lab.lan.ip(f"addr add {OTHER_HOST}/24 dev {OTHER}", f"link set {OTHER} up")
    route = f"route add default via {OTHER_LAN} dev {OTHER}"
    if way is Way.WORSE:
        lab.lan.ip(f"{route} metric 200")
    else:
        lab.lan.ip(f"{route} table 100", f"rule add from {OTHER_HOST} lookup 100")
    router.start_miniupnpd(**options)
    return router


def plug_in_twin(lab: Lab) -> Router:
    """The second router has the same address inside as the first one, and the host is at `TWIN` there.

    The host sends no ICMP: where an answer comes when its socket is closed, the kernel says so by the routes, and that
    is no packet of the program.
    """
    router = plug_in_second(lab)
    router.stop()
    router.ip(f"addr del {OTHER_LAN}/24 dev lan", f"addr add {LAN}/24 dev lan")
    router.lan = LAN
    lab.lan.ip(f"addr del {OTHER_HOST}/24 dev {OTHER}", f"addr add {TWIN}/24 dev {OTHER}")
    lab.lan.ip(f"route add default via {LAN} dev {OTHER} metric 200", "rule add pref 1 ipproto icmp unreachable")
    router.start_miniupnpd()
    return router


def plug_in_decoy(host: Namespace, *, ipv6: bool = False) -> None:
    """The host has `eth1`, too, with the best default route: it leads to no other host, so no question is answered."""
    host.ip(
        f"link add {OTHER} type veth peer name unused",
        f"addr add {OTHER_HOST}/24 dev {OTHER}",
        f"link set {OTHER} up",
        "link set unused up",
    )
    routes = json.loads(host.run(["ip", "-j", "route", "show", "default"]))
    host.ip("route del default", f"route add default via {routes[0]['gateway']} dev eth0 metric 200")
    host.ip(f"route add default via {OTHER_LAN} dev {OTHER}")
    if ipv6:
        host.ip(f"addr add 2a00:88::2/64 dev {OTHER} nodad", f"route add default via fe80::9 dev {OTHER} metric 1")


def frames_sent(host: Namespace, interface: str = "eth0") -> int:
    """How many frames the host has sent by an interface so far."""
    told = json.loads(host.run(["ip", "-s", "-j", "link", "show", interface]))
    return int(told[0]["stats64"]["tx"]["packets"])
