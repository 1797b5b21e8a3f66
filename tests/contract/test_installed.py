"""Our own plugins are held to the same promises as everybody's: each installed entry point has its contract here."""

from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import ClassVar

import pytest

from portmap.builtin import AnyGateway, NoNat
from portmap.hookspecs import BACKENDS, PUBLISHERS
from portmap.nat import Nat
from portmap.plugins import DISTRIBUTION, Catalogue
from portmap.race import Race
from portmap.testing import BackendContract, PublisherContract, Router, RouterGateway, loopback_address
from portmap.testing.contract.plugin import PluginContract
from portmap_enr import EnrPublisher
from portmap_extip import ExtIp
from portmap_natpmp import NatPmp, Patience
from portmap_upnp import Upnp
from portmap_upnp.search import Search

SHORT = Patience(first_wait=0.05, deadline=0.3)


def natpmp_at(router: Router) -> NatPmp:
    return NatPmp(IPv4Address(router.address), router.pmp_port, patience=SHORT)


def upnp_at(router: Router) -> Upnp:
    return Upnp(
        search=Search(lambda: [IPv4Address(router.address)], multicast=None, port=router.ssdp_port, patience=0.3)
    )


@pytest.fixture
def router() -> Iterator[Router]:
    with Router(loopback_address(), pmp_port=0) as simulated:
        yield simulated


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
        return NatPmp(None, router.pmp_port, patience=SHORT, candidates=lambda: [IPv4Address(router.address)])


class TestNatPmpAndAGatewayThatIsSwitchedOff(TestNatPmp):
    @pytest.fixture
    def gateway(self, router: Router) -> Iterator[RouterGateway]:
        yield from switched_off_at_times(router)


class TestUpnp(BackendContract):
    plugin = Upnp

    @pytest.fixture
    def gateway(self, router: Router) -> Iterator[RouterGateway]:
        yield from switched_off_at_times(router)

    def make(self, gateway: RouterGateway) -> Upnp:
        return upnp_at(gateway.router)


class TestUpnpOfVersion2(TestUpnp):
    @pytest.fixture
    def router(self) -> Iterator[Router]:
        with Router(loopback_address(), pmp_port=0, igd=2) as simulated:
            yield simulated


class TestAny(BackendContract):
    plugin = AnyGateway

    @pytest.fixture
    def gateway(self, router: Router) -> Iterator[RouterGateway]:
        yield from switched_off_at_times(router)

    def make(self, gateway: RouterGateway) -> AnyGateway:
        router = gateway.router
        doors = [Nat(natpmp_at(router), "natpmp"), Nat(upnp_at(router), "upnp")]
        return AnyGateway(Race(lambda: doors, patience=1.0))


class TestExtIp(BackendContract):
    plugin = ExtIp
    argument = "203.0.113.7"


class TestNone(BackendContract):
    plugin = NoNat


class TestEnr(PublisherContract):
    plugin = EnrPublisher
    argument: ClassVar[str | None] = "nodekey"


def switched_off_at_times(router: Router) -> Iterator[RouterGateway]:
    gateway = RouterGateway(router, gone=True)
    yield gateway
    gateway.router.close()


def test_every_plugin_that_we_ship_has_a_contract_here() -> None:
    ours = {
        plugin.load()
        for group in (BACKENDS, PUBLISHERS)
        for plugin in Catalogue(group).plugins
        if plugin.distribution == DISTRIBUTION
    }
    held = {
        it.plugin
        for it in globals().values()
        if isinstance(it, type) and issubclass(it, PluginContract) and "plugin" in dir(it)
    }
    assert ours <= held
