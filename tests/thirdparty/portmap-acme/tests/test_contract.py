"""Every promise of `portmap.hookspecs`, against an Acme router on loopback."""

from collections.abc import Iterator
from ipaddress import IPv4Address

import pytest
from portmap_acme import Acme
from portmap_acme.router import Port, Router

from portmap import Protocol
from portmap.testing import BackendContract, Entry, Gateway


class AcmeUnderTest(Gateway):
    def __init__(self, router: Router) -> None:
        self.router = router

    def entries(self) -> list[Entry]:
        return [
            Entry(Protocol(port.protocol), port.external, port.client, port.internal, port.lifetime)
            for port in self.router.table
        ]

    def plant(self, protocol: Protocol, external_port: int) -> None:
        self.router.table = (*self.router.table, Port(protocol, external_port, "192.0.2.9", 9, 60))

    def kill(self) -> None:
        self.router.silent = True

    def revive(self) -> None:
        self.router.silent = False


class TestAcme(BackendContract):
    plugin = Acme

    @pytest.fixture
    def gateway(self) -> Iterator[AcmeUnderTest]:
        with Router() as router:
            yield AcmeUnderTest(router)

    def make(self, gateway: AcmeUnderTest) -> Acme:
        return Acme(IPv4Address("127.0.0.1"), gateway.router.port, timeout=0.2)
