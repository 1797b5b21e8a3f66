"""`auto` beyond a gateway: where it is looked for, what is asked there, and when nothing is looked for at all."""

from ipaddress import IPv4Address, ip_address

import pytest
from tests.backends.chained_gateways import Hop, Log, add, delete

from portmap.backends.any.backend import AnyBackend
from portmap.backends.any.candidates import Candidate, installed_candidates
from portmap.backends.chain.chain_nat import ChainNat
from portmap.backends.chain.next_gateway import NextGateway, NextGatewayNat, usual_places
from portmap.backends.load import load
from portmap.backends.nat import Nat
from portmap.errors import GatewayTimeout, NoGateway, NotYet, Refused
from portmap.hookspecs import BACKENDS, hookimpl
from portmap.loading.catalog import Catalogue
from portmap.model import Listed, Protocol

TCP = Protocol.TCP
ROW = Listed(TCP, 443, "192.168.0.5", 8080, 600)
INNER, OUTER = "192.168.1.1", IPv4Address("192.168.0.1")
INNER_OUTSIDE, PUBLIC = IPv4Address("192.168.0.5"), IPv4Address("1.2.3.4")


class Network:
    """Which router stands at which place, and which gateways answer; `asked` are the addresses asked at."""

    def __init__(self) -> None:
        self.routers: dict[int, IPv4Address] = {}
        self.gateways: dict[IPv4Address, Hop] = {}
        self.asked: list[IPv4Address] = []

    def router_at(self, place: int) -> IPv4Address | None:
        return self.routers.get(place)

    def candidates_at(self, address: IPv4Address) -> list[Candidate | Nat]:
        self.asked.append(address)
        return [Nat(self.gateways[address], f"backend at {address}")] if address in self.gateways else []

    def beyond(self, place: int = 2) -> NextGatewayNat:
        return NextGatewayNat(NextGateway(place, self.candidates_at, self.router_at))


@pytest.fixture
def inner(log: Log) -> Hop:
    return Hop(INNER, INNER_OUTSIDE, log)


@pytest.fixture
def outer(log: Log) -> Hop:
    return Hop(str(OUTER), PUBLIC, log)


@pytest.fixture
def network(outer: Hop) -> Network:
    network = Network()
    network.gateways[OUTER] = outer
    return network


@pytest.fixture
def chain(inner: Hop, network: Network) -> ChainNat:
    return ChainNat([Nat(inner, "inner"), network.beyond()], "a chain")


# Where it is looked for


def test_the_router_at_the_second_place_is_asked_and_no_other(
    chain: ChainNat, network: Network, inner: Hop, outer: Hop
) -> None:
    network.routers[2] = OUTER
    assert chain.external_ip() == PUBLIC
    grant = add(chain, 443)
    assert outer.table == {(TCP, 443): (INNER_OUTSIDE, 8080)}
    assert set(network.asked) == {OUTER}
    delete(chain, grant)
    assert not inner.table | outer.table


def test_where_no_router_says_where_it_is_the_usual_addresses_of_a_private_network_are_asked(
    chain: ChainNat, network: Network
) -> None:
    assert chain.external_ip() == PUBLIC
    assert set(network.asked) == {OUTER, IPv4Address("192.168.0.254")}


@pytest.mark.parametrize(
    ("outside", "places"),
    [
        ("192.168.0.5", ["192.168.0.1", "192.168.0.254"]),
        ("10.1.2.1", ["10.1.2.254"]),
        ("172.16.0.254", ["172.16.0.1"]),
        ("100.64.1.5", []),  # other customers of the provider
        ("1.2.3.4", []),
        ("fd00::5", []),
    ],
)
def test_only_in_a_private_network_an_address_is_guessed(outside: str, places: list[str]) -> None:
    assert list(map(str, usual_places(ip_address(outside)))) == places


def test_an_address_that_is_not_known_is_guessed_from_nothing() -> None:
    assert usual_places(None) == []


def test_behind_a_providers_nat_only_the_router_on_the_way_is_asked(
    chain: ChainNat, network: Network, inner: Hop
) -> None:
    inner.address = IPv4Address("100.64.1.5")
    with pytest.raises(NoGateway, match=r"^hop 2 of 2, .*no router was found on the way out.*punch:A\+B"):
        chain.external_ip()
    assert not network.asked


def test_where_nothing_answers_the_error_says_where_and_what_is_left_to_do(
    chain: ChainNat, network: Network, inner: Hop
) -> None:
    network.routers[2] = IPv4Address("10.9.9.9")
    with pytest.raises(NoGateway, match=r"nothing that maps ports answers at 10\.9\.9\.9: .*punch:A\+B may"):
        chain.external_ip()
    with pytest.raises(NoGateway):
        add(chain)


# When


def test_beyond_a_public_address_nothing_is_looked_for(chain: ChainNat, network: Network, inner: Hop) -> None:
    inner.address = IPv4Address("5.6.7.8")
    assert chain.external_ip() == IPv4Address("5.6.7.8")
    grant = add(chain, 443)
    assert inner.table == {(TCP, 443): (None, 8080)}
    assert grant.external_port == 443
    assert str(chain) == f"gateway {INNER}"
    delete(chain, grant)
    assert not inner.table
    assert not network.asked


def test_an_address_that_becomes_public_ends_the_search_and_the_outer_mapping(
    chain: ChainNat, network: Network, inner: Hop, outer: Hop
) -> None:
    network.routers[2] = OUTER
    chain.external_ip()
    grant = add(chain, 443)
    inner.address = IPv4Address("5.6.7.8")
    assert chain.external_ip() == IPv4Address("5.6.7.8")
    again = add(chain, 443, grant.token)
    assert not outer.table
    assert again.external_port in {port for _, port in inner.table}


def test_an_address_that_becomes_private_begins_it(chain: ChainNat, network: Network, inner: Hop, outer: Hop) -> None:
    network.routers[2] = OUTER
    inner.address = IPv4Address("5.6.7.8")
    chain.external_ip()
    grant = add(chain, 443)
    inner.address = INNER_OUTSIDE
    assert chain.external_ip() == PUBLIC
    again = add(chain, 443, grant.token)
    assert again.external_port == 443
    assert (TCP, 443) in outer.table


# Finding it again


def test_a_gateway_that_moved_is_found_at_its_new_place(
    chain: ChainNat, network: Network, outer: Hop, log: Log
) -> None:
    network.routers[2] = OUTER
    chain.external_ip()
    moved = IPv4Address("192.168.0.2")
    outer.errors["external_ip"] = GatewayTimeout("silent")
    network.routers[2] = moved
    network.gateways[moved] = Hop(str(moved), IPv4Address("5.6.7.8"), log)
    assert chain.external_ip() == IPv4Address("5.6.7.8")


def test_a_gateway_that_was_silent_is_asked_again_and_no_failure_is_remembered(
    chain: ChainNat, network: Network, outer: Hop
) -> None:
    network.routers[2] = OUTER
    chain.external_ip()
    outer.errors["external_ip"] = GatewayTimeout("silent")
    with pytest.raises((NoGateway, GatewayTimeout), match="hop 2 of 2"):
        chain.external_ip()
    outer.errors.clear()
    assert chain.external_ip() == PUBLIC


def test_a_refusal_of_the_gateway_is_told_as_it_is(chain: ChainNat, network: Network, outer: Hop) -> None:
    network.routers[2] = OUTER
    outer.errors["add_mapping"] = Refused("not for you")
    chain.external_ip()
    with pytest.raises(Refused, match="not for you"):
        add(chain)


def test_an_alert_of_the_gateway_that_was_found_reaches_the_loop(chain: ChainNat, network: Network, outer: Hop) -> None:
    network.routers[2] = OUTER
    alerts: list[str] = []
    close = chain.watch(alerts.append)
    chain.external_ip()
    outer.alerts[0]("restarted")
    assert alerts == ["restarted"]
    close()
    assert not outer.alerts


def test_its_evidence_says_where_it_was_looked_for(chain: ChainNat, network: Network) -> None:
    network.routers[2] = OUTER
    chain.external_ip()
    assert f"hop 2: looked for at {OUTER}" in chain.evidence()


def test_the_text_auto_means_the_gateway_beyond() -> None:
    assert str(load("pmp:192.168.1.1 beyond auto")) == "NAT-PMP 192.168.1.1, beyond it the next gateway"


def test_every_backend_that_is_raced_is_asked_at_an_address_if_that_makes_sense() -> None:
    found = installed_candidates(Catalogue(BACKENDS), AnyBackend, argument="192.168.0.1")
    asked = {candidate.name: candidate.load() for candidate in found}
    assert {name for name, nat in asked.items() if nat} == {f"{it}:192.168.0.1" for it in ("pcp", "pmp", "upnp")}


def test_the_inner_address_is_asked_for_before_a_port_is_so_that_the_wanted_one_is_asked_for(
    chain: ChainNat, network: Network, inner: Hop
) -> None:
    inner.address = IPv4Address("5.6.7.8")
    assert add(chain, 443).external_port == 443
    assert not network.asked


def test_an_inner_address_that_comes_with_the_mapping_only_is_no_obstacle(
    chain: ChainNat, network: Network, inner: Hop, outer: Hop
) -> None:
    network.routers[2] = OUTER
    inner.states_with_grant = True
    inner.errors["external_ip"] = NotYet("with a mapping only")
    assert add(chain, 443).external_port == 443
    assert outer.table == {(TCP, 443): (INNER_OUTSIDE, 8080)}


def test_its_hint_is_that_of_the_gateway_that_was_found(chain: ChainNat, network: Network, outer: Hop) -> None:
    network.routers[2] = OUTER
    beyond = network.beyond()
    assert beyond.hint() == ""
    beyond.external_ip()
    assert f"hint of {OUTER}" in beyond.hint()
    later = network.beyond()
    later.take_hint(beyond.hint())
    later.external_ip()
    assert outer.hints == [f"hint of {OUTER}"]


class ListingGateway(Hop):
    """A gateway that shows its table."""

    @hookimpl
    def list_mappings(self) -> tuple[Listed, ...]:
        return (ROW,)


def test_its_table_is_that_of_the_gateway_that_was_found(chain: ChainNat, network: Network, log: Log) -> None:
    network.routers[2] = OUTER
    network.gateways[OUTER] = ListingGateway(str(OUTER), PUBLIC, log)
    chain.external_ip()
    assert chain.list_mappings() == (ROW,)
