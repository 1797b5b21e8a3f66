"""The columns of the matrix: every shipped backend that speaks to a gateway, as its users have it.

Law: product defaults, all of them - patience, retries, deadlines. Only where to look for the gateway is told, and where
to listen for announcements: on loopback.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address
from random import Random
from typing import Any, TypeAlias

from portmap.builtin import AnyGateway
from portmap.nat import Nat
from portmap.race import Race
from portmap.testing import Quirks, Router, loopback_address
from portmap_natpmp import NatPmp
from portmap_upnp import Upnp, ssdp
from portmap_upnp.location import parse_url
from portmap_upnp.search import Search

Clock: TypeAlias = Callable[[], float]
UPTIME = 100.0  # seconds that the router has been up: a fresh one's reboot would not show (RFC 6886 §3.6)


def _pmp(router: Router, clock: Clock, *, given: bool) -> NatPmp:
    gateway = IPv4Address(router.address)
    return NatPmp(gateway if given else None, candidates=lambda: [gateway], clock=clock, announced_at=())


def _upnp(router: Router, _clock: Clock, *, given: bool) -> Upnp:
    gateway = IPv4Address(router.address)
    multicast = ssdp.ADDRESS if router.ssdp_port == ssdp.PORT else None
    search = Search(lambda: [gateway], multicast, router.ssdp_port)
    location = parse_url(router.description_url) if given else None
    return Upnp(location, search=search, announced_at=(loopback_address(), 0))


def _any(router: Router, clock: Clock) -> AnyGateway:
    field = {"pmp": _pmp, "upnp": _upnp}
    return AnyGateway(Race(lambda: [Nat(make(router, clock, given=False), name) for name, make in field.items()]))


@dataclass(frozen=True, slots=True)
class Column:
    """A backend: how to make one for a router, and what that router speaks."""

    name: str
    make: Callable[[Router, Clock], Any]
    pmp: bool = True
    upnp: bool = True
    igd: int = 1

    def door(self, router: Router, clock: Clock) -> Nat:
        """A new backend behind the core's door."""
        return Nat(self.make(router, clock), self.name)

    def router(self, clock: Clock, quirks: Quirks, *, upnp_only: bool = False) -> Router:
        """A router for it; where it must hear searches by multicast, it does."""
        return Router(
            loopback_address(),
            pmp=self.pmp and not upnp_only,
            upnp=self.upnp,
            ssdp_port=ssdp.PORT if quirks.multicast_only else 0,
            igd=self.igd,
            uptime=UPTIME,
            quirks=quirks,
            clock=clock,
            random=Random(1),  # noqa: S311  # the same misfortunes at every run
        )


COLUMNS = (
    Column("pmp", partial(_pmp, given=False), upnp=False),
    Column("pmp:ADDRESS", partial(_pmp, given=True), upnp=False),
    Column("upnp, IGD:1", partial(_upnp, given=False), pmp=False),
    Column("upnp, IGD:2", partial(_upnp, given=False), pmp=False, igd=2),
    Column("upnp:URL", partial(_upnp, given=True), pmp=False),
    Column("any", _any),
)
