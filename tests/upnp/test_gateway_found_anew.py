"""A gateway that answers and is of no use any more: its services have moved, or another one is the default gateway."""

import socket
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest
from tests.upnp.canned import http
from tests.upnp.real_routers import UNAUTHORISED
from tests.upnp.test_description import IP1, device, service
from tests.upnp.watched import free_port

from portmap.errors import Refused, UnverifiedGateway
from portmap.model import Grant, Protocol
from portmap.simulator.loopback import loopback_address
from portmap.testing import Quirks, Router
from portmap_upnp import Upnp
from portmap_upnp.discovery.description import Service
from portmap_upnp.discovery.search import Search
from portmap_upnp.gateway_session import ActiveGateway

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.upnp.conftest import WebServers

PORT = 20404


def fault(code: int) -> bytes:
    body = f"<Envelope><Fault><errorCode>{code}</errorCode></Fault></Envelope>"
    return http(body.encode(), "500 Internal Server Error")


def add(upnp: Upnp) -> Grant:
    grant: Grant = upnp.add_mapping(Protocol.TCP, PORT, PORT, "x", 600, client=None)
    return grant


def let_services_move(upnp: Upnp, serve: "WebServers", answer: bytes) -> None:
    """As if the gateway had described a service that is not the one that it has now, and answers so."""
    now = upnp._session.active
    assert now
    old = Service(now.service.service_type, serve.raw(answer))
    upnp._session._use(ActiveGateway(now.gateway._replace(services=(old,)), old, now.us))


@pytest.mark.parametrize("answer", [fault(401), fault(501), UNAUTHORISED, fault(-911)])
def test_services_that_moved_are_found_though_the_old_ones_answer(
    answer: bytes, router: Router, upnp: Upnp, serve: "WebServers"
) -> None:
    upnp.external_ip()
    let_services_move(upnp, serve, answer)
    alerts: list[str] = []
    close = upnp.watch(alerts.append)
    assert upnp.external_ip() == IPv4Address(router.external_ip)
    close()
    assert alerts == [f"{upnp} no longer describes the services that it had"]
    assert add(upnp) == Grant(PORT, 600)


@pytest.mark.parametrize("answer", [fault(401), UNAUTHORISED])
def test_a_mapping_is_made_within_the_call_where_the_old_services_know_no_action(
    answer: bytes, upnp: Upnp, serve: "WebServers"
) -> None:
    add(upnp)
    let_services_move(upnp, serve, answer)
    assert add(upnp) == Grant(PORT, 600)


def test_what_was_learnt_of_services_that_are_dead_does_not_outlive_them(
    router: Router, upnp: Upnp, serve: "WebServers"
) -> None:
    add(upnp)
    let_services_move(upnp, serve, fault(401))
    assert upnp.has_mapping(Protocol.TCP, PORT, PORT, client=None) is None
    add(upnp)
    before = router.heard
    assert upnp.has_mapping(Protocol.TCP, PORT, PORT, client=None) is True
    assert (router.heard.get - before.get, router.heard.list - before.list) == (1, 0)


def test_a_gateway_that_refuses_everything_and_has_not_moved_is_described_once_a_question(
    router: Router, upnp: Upnp
) -> None:
    upnp.external_ip()
    router.quirks = Quirks(upnp_off=True)
    for looks in (2, 3):
        with pytest.raises(Refused) as caught:
            upnp.external_ip()
        assert caught.value.code == 501
        assert router.heard.description == looks


@pytest.mark.parametrize(("code", "a_question"), [(401, 1), (501, 2)])
def test_a_gateway_that_moves_its_services_at_each_look_is_looked_at_once_or_twice_a_question(
    serve: "WebServers", code: int, a_question: int
) -> None:
    looks: list[int] = []

    def visit(visitor: socket.socket, request: bytes) -> None:
        if request.startswith(b"GET"):
            looks.append(len(looks))
            visitor.sendall(http(device(service(IP1, f"/{len(looks)}"))))
        else:
            visitor.sendall(fault(code))

    upnp = Upnp.from_argument(str(serve.visit(visit)))
    with pytest.raises(Refused):
        upnp.external_ip()
    before = len(looks)
    with pytest.raises(Refused):
        upnp.external_ip()
    assert len(looks) - before == a_question


class TwoRouters:
    """Two routers in one network, of which the first of `gateways` is the default gateway."""

    def __init__(self) -> None:
        port = free_port()
        self.first = Router("127.0.0.1", pmp=False, ssdp_port=port)
        self.second = Router(loopback_address(), pmp=False, ssdp_port=port, external_ip="5.6.7.8")
        self.gateways = [IPv4Address(self.first.address)]
        search = Search(lambda: self.gateways, multicast=None, port=port, timeout=0.5)
        self.upnp = Upnp(search=search, announced_at=("127.0.0.1", free_port()))


@pytest.fixture
def two() -> "Iterator[TwoRouters]":
    routers = TwoRouters()
    with routers.first, routers.second:
        yield routers


def test_another_default_gateway_is_found_though_the_former_one_answers(two: TwoRouters) -> None:
    assert two.upnp.external_ip() == IPv4Address("1.2.3.4")
    alerts: list[str] = []
    close = two.upnp.watch(alerts.append)
    two.gateways[:] = [IPv4Address(two.second.address)]
    assert two.upnp.external_ip() == IPv4Address("5.6.7.8")
    assert two.upnp.external_ip() == IPv4Address("5.6.7.8")
    close()
    assert alerts == ["UPnP 127.0.0.1 (IGD:1) is no default gateway any more, and is looked for anew"]


def test_a_former_default_gateway_is_not_believed_where_there_is_no_other(two: TwoRouters) -> None:
    two.upnp.external_ip()
    two.gateways[:] = [IPv4Address(loopback_address())]
    with pytest.raises(UnverifiedGateway, match="not this network's default gateway"):
        two.upnp.external_ip()
