"""States to publish, and a web site to publish them to."""

from collections.abc import Iterator
from ipaddress import IPv4Address

import pytest
from tests.wire.website import WebSite

from portmap.endpoints import Endpoints, OpenPort
from portmap.model import Protocol

WEB = OpenPort(Protocol.TCP, 80, 8080, IPv4Address("8.8.8.8"), "web")
DNS = OpenPort(Protocol.UDP, 53, 53, IPv4Address("8.8.8.8"))


@pytest.fixture
def state() -> Endpoints:
    return Endpoints((WEB, DNS), IPv4Address("8.8.8.8"), "the gateway")


@pytest.fixture
def site() -> Iterator[WebSite]:
    with WebSite() as running:
        yield running
