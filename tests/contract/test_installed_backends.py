"""Our own backends are held to the same promises as others: each installed entry point has its contract here."""

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from ipaddress import IPv4Address
from typing import Any, ClassVar

import pytest
from tests.punch.stun_peer import StunPeer

from portmap.backends.any.backend import AnyBackend
from portmap.backends.any.race import Race
from portmap.backends.chain.backend import ChainBackend
from portmap.backends.nat import Nat
from portmap.backends.none import NoNat
from portmap.errors import PluginError, Refused
from portmap.testing import BackendContract, Gateway, Router, RouterGateway, StunServer, loopback_address
from portmap.testing.contract.backend_under_test import BackendUnderTest
from portmap.testing.contract.network_audit import network_calls_of
from portmap.testing.contract.static import TIMEOUT
from portmap_extip import ExtIp, Interface
from portmap_extip.hostname import Hostname
from portmap_natpmp import NatPmp, Timeouts
from portmap_natpmp.protonvpn import ProtonVpn
from portmap_pcp import Pcp, Settings
from portmap_punch import Punch
from portmap_punch.argument import Argument
from portmap_stun import Server, Stun
from portmap_upnp import Upnp
from portmap_upnp.discovery.search import Search

SHORT = Timeouts(first_wait=0.05, deadline=0.3)


def natpmp_at(router: Router) -> NatPmp:
    return NatPmp(IPv4Address(router.address), router.pmp_port, timeouts=SHORT)


def pcp_at(router: Router) -> Settings:
    return Settings(port=router.pmp_port, timeouts=SHORT)


def miniupnpc_class() -> type[Upnp]:
    """The class of the backend `miniupnpc`; without the library `Upnp`, whose test is skipped."""
    try:
        made: type[Upnp] = import_module("portmap_upnp.miniupnpc_backend").Miniupnpc
    except PluginError:
        return Upnp
    return made


def upnp_at(router: Router, backend: type[Upnp] = Upnp) -> Upnp:
    return backend(
        search=Search(lambda: [IPv4Address(router.address)], multicast=None, port=router.ssdp_port, timeout=0.3)
    )


@pytest.fixture
def router() -> Iterator[Router]:
    with Router(loopback_address(), pmp_port=0) as simulated:
        yield simulated


class StunServers(Gateway):
    """Two servers, which can fall silent; what a NAT holds cannot be asked of them."""

    def __init__(self, *peers: StunPeer) -> None:
        self.peers = peers

    def kill(self) -> None:
        for peer in self.peers:
            peer.sees = lambda _: None

    def revive(self) -> None:
        for peer in self.peers:
            peer.sees = lambda source: source


class TestNatPmp(BackendContract):
    plugin = NatPmp

    @pytest.fixture
    def gateway(self, router: Router) -> RouterGateway:
        return RouterGateway(router)

    def make(self, gateway: RouterGateway) -> NatPmp:
        return natpmp_at(gateway.router)


class TestNatPmpThatLooksForItsGateway(TestNatPmp):
    def make(self, gateway: RouterGateway) -> NatPmp:
        router = gateway.router
        return NatPmp(None, router.pmp_port, timeouts=SHORT, candidates=lambda: [IPv4Address(router.address)])


class TestNatPmpAndAGatewayThatIsSwitchedOff(TestNatPmp):
    @pytest.fixture
    def gateway(self, router: Router) -> Iterator[RouterGateway]:
        yield from switched_off_at_times(router)


class TestProtonVpn(TestNatPmp):
    plugin = ProtonVpn

    def make(self, gateway: RouterGateway) -> ProtonVpn:
        router = gateway.router
        return ProtonVpn(IPv4Address(router.address), router.pmp_port, timeouts=SHORT)


class TestPcp(BackendContract):
    plugin = Pcp

    @pytest.fixture
    def gateway(self, router: Router) -> RouterGateway:
        return RouterGateway(router)

    def make(self, gateway: RouterGateway) -> Pcp:
        router = gateway.router
        return Pcp(IPv4Address(router.address), pcp_at(router), fallback=lambda _: Nat(natpmp_at(router), "natpmp"))


class TestPcpThatLooksForItsGateway(TestPcp):
    def make(self, gateway: RouterGateway) -> Pcp:
        router = gateway.router
        return Pcp(None, pcp_at(router), candidates=lambda: [IPv4Address(router.address)])


class TestPcpAndAGatewayThatIsSwitchedOff(TestPcp):
    @pytest.fixture
    def gateway(self, router: Router) -> Iterator[RouterGateway]:
        yield from switched_off_at_times(router)


class TestPcpAndAGatewayThatSpeaksNatPmpOnly(TestPcp):
    @pytest.fixture
    def router(self) -> Iterator[Router]:
        with Router(loopback_address(), pmp_port=0, pcp=False) as simulated:
            yield simulated


class TestUpnp(BackendContract):
    plugin = Upnp

    @pytest.fixture
    def gateway(self, router: Router) -> Iterator[RouterGateway]:
        yield from switched_off_at_times(router)

    def make(self, gateway: RouterGateway) -> Upnp:
        return upnp_at(gateway.router)


@pytest.mark.skipif(not find_spec("miniupnpc"), reason="miniupnpc has no wheel for this Python")
class TestMiniupnpc(BackendContract):
    plugin = miniupnpc_class()

    @pytest.fixture
    def gateway(self, router: Router) -> Iterator[RouterGateway]:
        yield from switched_off_at_times(router)

    def make(self, gateway: RouterGateway) -> Any:
        return upnp_at(gateway.router, self.plugin)


class TestUpnpOfVersion2(TestUpnp):
    @pytest.fixture
    def router(self) -> Iterator[Router]:
        with Router(loopback_address(), pmp_port=0, igd=2) as simulated:
            yield simulated


class TestAny(BackendContract):
    plugin = AnyBackend

    @pytest.fixture
    def gateway(self, router: Router) -> Iterator[RouterGateway]:
        yield from switched_off_at_times(router)

    def make(self, gateway: RouterGateway) -> AnyBackend:
        router = gateway.router
        backends = [Nat(natpmp_at(router), "natpmp"), Nat(upnp_at(router), "upnp")]
        return AnyBackend(Race(lambda: backends, timeout=1.0))


class TwoInARow(RouterGateway):
    """The outer one of two routers; what the inner one holds is the chain's own affair."""

    def __init__(self, outer: Router, inner: Router) -> None:
        super().__init__(outer)
        self.inner = inner


class TestChain(BackendContract):
    plugin = ChainBackend

    # It is made of the gateways of two specs, and takes no argument of its own.
    test_a_strange_argument_is_a_spec_error_or_accepted_and_nothing_is_sent = None  # type: ignore[assignment]

    @pytest.fixture
    def gateway(self, router: Router) -> Iterator[TwoInARow]:
        outside = loopback_address()
        with Router(loopback_address(), outside=outside, external_ip=outside, pmp_port=0) as inner:
            yield TwoInARow(router, inner)

    def make(self, gateway: TwoInARow) -> ChainBackend:
        return ChainBackend([Nat(natpmp_at(gateway.inner), "inner"), Nat(upnp_at(gateway.router), "outer")])


class TestPunch(BackendContract):
    plugin = Punch

    # The NAT chooses the external port, and what an application hears is its own.
    test_it_grants_the_suggested_port = None  # type: ignore[assignment]

    @pytest.fixture
    def gateway(self) -> Iterator[Gateway]:
        with StunPeer() as first, StunPeer() as second:
            yield StunServers(first, second)

    def make(self, gateway: StunServers) -> Punch:
        return Punch(Argument(tuple(Server(peer.address, peer.port) for peer in gateway.peers)))

    @pytest.fixture
    def backend(self, gateway: StunServers) -> Iterator[BackendUnderTest]:
        """Nothing stays open at a port of this host, where the next test would need it."""
        punch = self.make(gateway)
        yield BackendUnderTest(punch, self.deadline)
        punch._engine.close()


class TestExtIp(BackendContract):
    plugin = ExtIp
    argument: ClassVar[str | None] = "203.0.113.7"


class TestExtIpOfAName(TestExtIp):
    argument = "home.example.org"

    @pytest.fixture
    def static(self) -> BackendUnderTest:
        name = Hostname("home.example.org", lambda _: [IPv4Address("203.0.113.7")])
        return BackendUnderTest(ExtIp(name.address, "home.example.org"), TIMEOUT)


class TestInterface(BackendContract):
    plugin = Interface

    @pytest.fixture
    def static(self) -> BackendUnderTest:
        return BackendUnderTest(Interface("eth0", lambda _: [IPv4Address("11.22.33.44")]), TIMEOUT)


class TestStun(BackendContract):
    plugin = Stun

    # It is no NAT's word that ports are open: what the others promise of them, this one must not.
    test_it_grants_the_suggested_port = None  # type: ignore[assignment]
    test_without_a_suggested_port_it_grants_the_internal_port = None  # type: ignore[assignment]
    test_it_sends_nothing = None  # type: ignore[assignment]  # but to the server, for its address

    @pytest.fixture
    def static(self) -> Iterator[BackendUnderTest]:
        with StunServer(external_ip="11.22.33.44") as server:
            yield BackendUnderTest(Stun([Server(server.address, server.port)]), TIMEOUT)

    def test_it_refuses_to_map_and_sends_nothing_for_that(self, static: BackendUnderTest) -> None:
        def map_and_delete() -> None:
            with pytest.raises(Refused):
                static.add()
            static.delete()

        assert not network_calls_of(map_and_delete)


class TestNone(BackendContract):
    plugin = NoNat


def switched_off_at_times(router: Router) -> Iterator[RouterGateway]:
    gateway = RouterGateway(router, gone=True)
    yield gateway
    gateway.router.close()
