"""The columns of the matrix: every shipped backend that speaks to a gateway, as its users have it.

Product defaults throughout: timeouts, retries, deadlines. Only the gateway's address is given, and where to listen for
announcements: on loopback.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from random import Random
from typing import Any, Self, TypeAlias

from tests.matrix import lan
from tests.matrix.rows import ALL, ONE_PORT, UPNP_ONLY

from portmap.backends.any.backend import AnyBackend
from portmap.backends.any.candidates import Candidate
from portmap.backends.any.race import Race
from portmap.backends.chain.backend import ChainBackend
from portmap.backends.nat import Nat
from portmap.model import Protocol
from portmap.simulator.pinhole_table import Pinhole
from portmap.testing import Entry, Quirks, Router, loopback_address
from portmap_natpmp import NatPmp
from portmap_pcp import Pcp, PcpPinholes, Settings
from portmap_upnp import Upnp
from portmap_upnp.discovery import ssdp
from portmap_upnp.discovery.search import SEND_TIMES6, Search
from portmap_upnp.location import parse_url
from portmap_upnp.pinhole_backend import UpnpPinholes

Clock: TypeAlias = Callable[[], float]
ADDRESS = "1.2.3.4"  # the router's external one
US = IPv6Address("::1")  # every host of a simulated router's IPv6 network, and the router
UPTIME = 100.0  # seconds that the router has been up: a fresh one's reboot would not show (RFC 6886 §3.6)


def _pmp(router: Router, clock: Clock, *, given: bool) -> NatPmp:
    gateway = IPv4Address(router.address)
    return NatPmp(gateway if given else None, candidates=lambda: [gateway], clock=clock, announced_at=())


def upnp_backend(router: Router, _clock: Clock, *, given: bool, backend: type[Upnp] = Upnp) -> Upnp:
    """A UPnP backend for the router, which searches there or is given the description."""
    gateway = IPv4Address(router.address)
    multicast = ssdp.ADDRESS if router.ssdp_port == ssdp.PORT else None
    search = Search(lambda: [gateway], multicast, router.ssdp_port)
    location = parse_url(router.description_url) if given else None
    return backend(location, search=search, announced_at=(loopback_address(), 0))


def _pcp(router: Router, clock: Clock, *, given: bool, raced: bool = False) -> Pcp:
    gateway, settings = IPv4Address(router.address), Settings(clock=clock, announced_at=())
    pmp = None if raced else lambda _: Nat(_pmp(router, clock, given=True), "pmp")
    return Pcp(gateway if given else None, settings, candidates=lambda: [gateway], fallback=pmp)


def _any(router: Router, clock: Clock) -> AnyBackend:
    field = {
        "pmp": _pmp(router, clock, given=False),
        "pcp": _pcp(router, clock, given=False, raced=True),
        "upnp": upnp_backend(router, clock, given=False),
    }
    runners = [Candidate.of(Nat(made, name), getattr(made, "preference", 0), name) for name, made in field.items()]
    return AnyBackend(Race(lambda: runners))


def _pcp6(router: Router, clock: Clock) -> PcpPinholes:
    settings = Settings(port=router.pcp6_port, clock=clock, announced_at=())
    return PcpPinholes(None, settings, candidates=lambda: [US], own_address=lambda: US)


def _upnp6(router: Router, _clock: Clock) -> UpnpPinholes:
    return UpnpPinholes(
        search=Search(lambda: [US], multicast=None, port=router.ssdp6_port, send_times=SEND_TIMES6), here=lambda: US
    )


@dataclass(frozen=True, slots=True)
class Column:
    """A backend: how to make one for a router, what that router speaks, and whether ports are open by IPv6 then."""

    name: str
    make: Callable[[Router, Clock], Any]
    speaks: frozenset[str]
    igd: int = 1
    ipv6: bool = False
    kind: type[Router] = Router

    @property
    def address(self) -> str:
        """What the backend is to tell as the external address."""
        return str(US) if self.ipv6 else ADDRESS

    def make_nat(self, router: Router, clock: Clock) -> Nat:
        """A new backend, called through Nat."""
        return Nat(self.make(router, clock), self.name)

    def reached(self, router: Router, protocol: Protocol, external_port: int) -> bool:
        """Whether the port is open: for bytes, or by the firewall's word."""
        return (lan.let_in if self.ipv6 else lan.reached)(router, protocol, external_port)

    def ours(self, router: Router, internal_port: int) -> tuple[Entry | Pinhole, ...]:
        """What is open for our service now."""
        return lan.pinholes(router, internal_port) if self.ipv6 else lan.ours(router, internal_port)

    def left(self, router: Router, internal_port: int) -> int:
        """How much is open for our service now."""
        return len(self.ours(router, internal_port))

    def router(self, clock: Clock, quirks: Quirks, speaks: frozenset[str]) -> Router:
        """A router for it that speaks nothing but this; where it must hear searches by multicast, it does."""
        spoken = self.speaks & speaks
        return self.kind(
            loopback_address(),
            external_ip=ADDRESS,
            pmp="pmp" in spoken,
            pcp="pcp" in spoken,
            upnp="upnp" in spoken,
            ssdp_port=ssdp.PORT if quirks.multicast_only else 0,
            ipv6=self.ipv6,
            igd=self.igd,
            uptime=UPTIME,
            quirks=quirks,
            clock=clock,
            random=Random(1),  # noqa: S311  # the same misfortunes at every run
        )


class OuterRouter(Router):
    """The outer one of two routers in a row; `inner` is in front of it, and does all as it should."""

    inner: Router

    def start(self) -> Self:
        """Start both."""
        outside = loopback_address()
        self.inner = Router(
            loopback_address(), outside=outside, external_ip=outside, upnp=False, uptime=UPTIME, clock=self._clock
        )
        self.inner.start()
        return super().start()

    def close(self) -> None:
        """End both."""
        super().close()
        self.inner.close()


def _chain(router: Router, clock: Clock) -> ChainBackend:
    assert isinstance(router, OuterRouter)
    inner = Nat(_pmp(router.inner, clock, given=True), "inner")
    return ChainBackend([inner, Nat(upnp_backend(router, clock, given=True), "outer")])


@dataclass(frozen=True, slots=True)
class ChainColumn(Column):
    """A chain, whose outer router is the one that the row is about."""

    kind: type[Router] = OuterRouter

    def ours(self, router: Router, internal_port: int) -> tuple[Entry | Pinhole, ...]:
        """What the outer router forwards to the inner one."""
        assert isinstance(router, OuterRouter)
        return tuple(entry for entry in router.entries if entry.internal_client == router.inner.outside)

    def left(self, router: Router, internal_port: int) -> int:
        """What is open at both."""
        assert isinstance(router, OuterRouter)
        return len(self.ours(router, internal_port)) + len(router.inner.entries)


COLUMNS = (
    Column("pmp", partial(_pmp, given=False), ONE_PORT),
    Column("pmp:ADDRESS", partial(_pmp, given=True), ONE_PORT),
    Column("pcp", partial(_pcp, given=False), ONE_PORT),
    Column("pcp:ADDRESS", partial(_pcp, given=True), ONE_PORT),
    Column("upnp, IGD:1", partial(upnp_backend, given=False), UPNP_ONLY),
    Column("upnp, IGD:2", partial(upnp_backend, given=False), UPNP_ONLY, igd=2),
    Column("upnp:URL", partial(upnp_backend, given=True), UPNP_ONLY),
    Column("any", _any, ALL),
    ChainColumn("pmp, beyond it upnp:URL", _chain, UPNP_ONLY),
    Column("pcp, IPv6", _pcp6, ONE_PORT, ipv6=True),
    Column("upnp, IPv6", _upnp6, UPNP_ONLY, igd=2, ipv6=True),
)
