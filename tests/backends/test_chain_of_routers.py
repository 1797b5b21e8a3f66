"""A chain of two simulated routers, with real sockets: bytes from outside the outer one reach this host."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from ipaddress import IPv4Address
from threading import Thread
from typing import Any

import pytest
from tests.backends.inner_nat import InnerNat

from portmap.backends.chain.chain_nat import ChainNat
from portmap.backends.nat import Nat
from portmap.errors import Conflict, GatewayTimeout, Refused
from portmap.model import Grant, Protocol
from portmap.testing import Quirks, Router, loopback_address
from portmap_natpmp import NatPmp, Timeouts
from portmap_pcp import Pcp, Settings
from portmap_upnp import Upnp
from portmap_upnp.discovery.search import Search

TCP = Protocol.TCP
SHORT = Timeouts(first_wait=0.1, deadline=2.0)
PROTOCOLS = ("pmp", "pcp", "upnp")
Eventually = Callable[[Callable[[], object]], None]


class TwoRouters:
    """An inner and an outer router. `seen`: where the outer one is, through the inner NAT."""

    def __init__(self, stack: ExitStack, igd: int = 1) -> None:
        outside = loopback_address()
        self.inner = stack.enter_context(
            Router(loopback_address(), outside=outside, external_ip=outside, pmp_port=0, uptime=3600)
        )
        self.outer = stack.enter_context(Router(loopback_address(), pmp_port=0, uptime=3600, igd=igd))
        self.seen = stack.enter_context(InnerNat(outside, (self.outer.address, self.outer.pmp_port)))

    def chain(self, inside: str, outside: str) -> ChainNat:
        """A chain that speaks these protocols."""
        outer: dict[str, Callable[[], Any]] = {
            "pmp": lambda: NatPmp(self.seen.address, self.seen.port, timeouts=SHORT),
            "pcp": lambda: Pcp(self.seen.address, settings(self.seen.port), fallback=None),
            "upnp": lambda: upnp_at(self.outer),
        }
        inner: dict[str, Callable[[], Any]] = {
            "pmp": lambda: NatPmp(IPv4Address(self.inner.address), self.inner.pmp_port, timeouts=SHORT),
            "pcp": lambda: Pcp(IPv4Address(self.inner.address), settings(self.inner.pmp_port), fallback=None),
            "upnp": lambda: upnp_at(self.inner),
        }
        return ChainNat([Nat(inner[inside](), inside), Nat(outer[outside](), outside)], f"{inside} beyond {outside}")

    @property
    def are_empty(self) -> bool:
        """Whether neither router holds a mapping."""
        return not self.inner.entries + self.outer.entries

    def leads_here(self, external_port: int, port: int) -> bool:
        """Whether the outer router leads to the inner one, and that one to this host."""
        outer = {it.external_port: (it.internal_client, it.internal_port) for it in self.outer.entries}
        inner = {(self.inner.outside, it.external_port): it.internal_port for it in self.inner.entries}
        return inner.get(outer.get(external_port, ("", 0))) == port


def settings(port: int) -> Settings:
    return Settings(port=port, timeouts=SHORT, announced_at=())


def upnp_at(router: Router) -> Upnp:
    address = IPv4Address(router.address)
    return Upnp(search=Search(lambda: [address], multicast=None, port=router.ssdp_port, timeout=2.0))


@pytest.fixture
def routers() -> Iterator[TwoRouters]:
    with ExitStack() as stack:
        yield TwoRouters(stack)


@pytest.fixture
def service() -> Iterator[int]:
    """A program of this host that answers what it is sent, in capitals; its port."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        Thread(target=_answer, args=(server,), daemon=True).start()
        yield server.getsockname()[1]


def _answer(server: socket.socket) -> None:
    while True:
        try:
            client, _ = server.accept()
        except OSError:
            return
        with closing(client):
            client.settimeout(2)
            client.sendall(client.recv(64).upper())


def answers(router: Router, port: int) -> bytes:
    with closing(socket.create_connection((router.outside, port), timeout=2)) as call:
        call.sendall(b"hello")
        return call.recv(64)


def add(chain: Nat, port: int, external_port: int = 0, token: str = "") -> Grant:
    return chain.add_mapping(TCP, external_port, port, "web", 600, token=token)


@pytest.mark.parametrize("outside", PROTOCOLS)
@pytest.mark.parametrize("inside", PROTOCOLS)
def test_bytes_from_outside_arrive_and_nothing_is_left(
    inside: str, outside: str, routers: TwoRouters, service: int
) -> None:
    chain = routers.chain(inside, outside)
    assert str(chain.external_ip()) == "1.2.3.4"
    grant = add(chain, service)
    assert routers.leads_here(grant.external_port, service)
    assert answers(routers.outer, grant.external_port) == b"HELLO"
    chain.delete_mapping(TCP, grant.external_port, service, token=grant.token)
    assert routers.are_empty


@pytest.mark.parametrize("outside", PROTOCOLS)
def test_another_port_of_the_inner_router_moves_the_outer_mapping(
    outside: str, routers: TwoRouters, service: int
) -> None:
    chain = routers.chain("pmp", outside)
    chain.external_ip()
    before = add(chain, service)
    routers.inner.reboot()
    take(routers.inner, service)
    after = add(chain, service, before.external_port, before.token)
    assert after.external_port == before.external_port
    assert routers.leads_here(after.external_port, service)
    assert len(routers.outer.entries) == 1


def take(router: Router, port: int) -> None:
    """Another host of the inner network has this port."""
    neighbour = IPv4Address(loopback_address())
    nat = Nat(upnp_at(router), "another")
    assert nat.add_mapping(TCP, port, port, "theirs", 600, client=neighbour).external_port == port


@pytest.mark.parametrize("outside", PROTOCOLS)
def test_an_outer_router_that_forgot_is_given_its_mapping_again(
    outside: str, routers: TwoRouters, service: int
) -> None:
    chain = routers.chain("pmp", outside)
    chain.external_ip()
    before = add(chain, service)
    routers.outer.reboot()
    assert chain.has_mapping(TCP, before.external_port, service, token=before.token) in (False, None)
    after = add(chain, service, before.external_port, before.token)
    assert after.external_port == before.external_port
    assert answers(routers.outer, after.external_port) == b"HELLO"


@pytest.mark.parametrize("outside", PROTOCOLS)
def test_a_port_that_another_host_of_the_outer_network_holds_is_left_to_it(
    outside: str, routers: TwoRouters, service: int
) -> None:
    take(routers.outer, service)
    theirs = set(routers.outer.entries)
    chain = routers.chain("upnp", outside)
    chain.external_ip()
    grant = add(chain, service)
    assert grant.external_port != service
    assert theirs < set(routers.outer.entries)
    chain.delete_mapping(TCP, grant.external_port, service, token=grant.token)
    assert set(routers.outer.entries) == theirs


@pytest.mark.parametrize("outside", PROTOCOLS)
def test_a_chain_of_another_process_takes_over_and_deletes(outside: str, routers: TwoRouters, service: int) -> None:
    chain = routers.chain("pmp", outside)
    chain.external_ip()
    token = add(chain, service).token
    later = routers.chain("pmp", outside)
    grant = add(later, service, 0, token)
    assert len(routers.outer.entries) == 1
    later.delete_mapping(TCP, grant.external_port, service, token=grant.token)
    assert routers.are_empty


def test_a_refusal_of_the_outer_router_says_where_and_leaves_nothing_at_the_inner_one(
    routers: TwoRouters, service: int
) -> None:
    routers.outer.quirks = Quirks(secure_mode=True)
    chain = routers.chain("pmp", "upnp")
    chain.external_ip()
    with pytest.raises(Conflict, match=r"^hop 2 of 2, .*many gateways map to the asking host only"):
        add(chain, service)
    assert routers.are_empty


def test_pcp_sees_the_inner_router_at_another_address_than_it_states(routers: TwoRouters, service: int) -> None:
    routers.inner.external_ip = loopback_address()
    chain = routers.chain("pmp", "pcp")
    chain.external_ip()
    with pytest.raises(Refused, match=r"^hop 2 of 2: .*ADDRESS_MISMATCH.*the inner gateway's outer address"):
        add(chain, service)


def test_a_silent_outer_router_is_an_error_with_its_place_in_time(routers: TwoRouters, service: int) -> None:
    routers.outer.quirks = replace(routers.outer.quirks, silent=True)
    chain = routers.chain("pmp", "pmp")
    begun = time.monotonic()
    with pytest.raises(GatewayTimeout, match=r"^hop 2 of 2"):
        add(chain, service)
    assert time.monotonic() - begun < 5


def test_an_alert_of_either_router_reaches_the_loop(routers: TwoRouters, service: int, eventually: Eventually) -> None:
    chain = routers.chain("pmp", "pmp")
    alerts: list[str] = []
    close = chain.watch(alerts.append)
    chain.external_ip()
    add(chain, service)
    routers.inner.reboot()
    chain.external_ip()
    eventually(lambda: len(alerts) == 1)
    routers.outer.reboot()
    chain.external_ip()
    eventually(lambda: len(alerts) == 2)
    close()
