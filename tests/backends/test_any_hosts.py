"""The backend `any`: a host with a public address of its own, and mappings to other hosts."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from tests.backends.scripted_gateways import NAME, TCP, A, B, Gateway, add

from portmap.backends.any import backend
from portmap.backends.any.backend import AnyBackend
from portmap.backends.any.race import Race
from portmap.backends.nat import Nat
from portmap.errors import NoGateway, Refused
from portmap.hookspecs import hookimpl
from portmap.model import Address, Grant
from portmap.network import routes
from portmap.network.routes import own_public_address

# where there is no NAT


OURS = IPv4Address("11.22.33.4")
PUBLIC_THERE = IPv4Address("12.34.56.4")


@pytest.mark.parametrize(
    ("ours", "public"), [("11.22.33.4", OURS), ("192.168.1.2", None), ("100.64.1.2", None), ("127.0.0.1", None)]
)
def test_our_own_address_counts_if_it_is_public(
    ours: str, public: IPv4Address | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "local_address_to", lambda *_: IPv4Address(ours))
    assert own_public_address() == public


def test_without_a_network_we_have_no_public_address(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_route(_peer: IPv4Address, _interface: str | None) -> IPv4Address:
        raise NoGateway("no route")

    monkeypatch.setattr(routes, "local_address_to", no_route)
    assert own_public_address() is None


class Ourselves:
    """Our own address: public, until we are behind a NAT."""

    def __init__(self) -> None:
        self.address: IPv4Address | None = OURS

    def __call__(self) -> IPv4Address | None:
        return self.address


@pytest.fixture
def ourselves() -> Ourselves:
    return Ourselves()


@pytest.fixture
def public(a: Gateway, ourselves: Ourselves) -> AnyBackend:
    return AnyBackend(Race(lambda: [Nat(a, "a")]), ourselves)


def test_a_host_with_a_public_address_is_told_so_and_no_backend_is_asked(public: AnyBackend, a: Gateway) -> None:
    assert public.external_ip() == OURS
    assert str(public) == "no NAT: our own address 11.22.33.4 is public"
    assert public.evidence() == ("our own address 11.22.33.4 is public: no gateway was asked",)
    assert a.calls == []


def test_where_there_is_no_nat_the_internal_port_is_open_as_it_stands(public: AnyBackend, a: Gateway) -> None:
    assert public.add_mapping(TCP, 443, 80, "web", 600, "", exact=False, client=None) == Grant(80, 0, static=True)
    public.delete_mapping(TCP, 80, 80, "", client=None)
    assert a.calls == []


def test_without_an_internal_port_the_suggested_port_is_open(public: AnyBackend) -> None:
    assert public.add_mapping(TCP, 443, 0, "web", 600, "", exact=False, client=None) == Grant(443, 0, static=True)
    with pytest.raises(Refused, match="name the one"):
        public.add_mapping(TCP, 0, 0, "web", 600, "", exact=False, client=None)


def test_a_host_that_has_moved_behind_a_nat_races(public: AnyBackend, a: Gateway, ourselves: Ourselves) -> None:
    public.external_ip()
    ourselves.address = None
    assert (str(public.external_ip()), str(public)) == (A, f"gateway {A}")
    assert add(public) == replace(Grant(80, 600), token=NAME)


def test_a_host_that_has_left_its_nat_does_not_hold_on_to_its_gateway(
    public: AnyBackend, a: Gateway, ourselves: Ourselves
) -> None:
    ourselves.address = None
    add(public)
    ourselves.address = OURS
    assert add(public).static
    public.delete_mapping(TCP, 80, 80, "", client=None)
    assert a.asked("delete_mapping") == 0


def test_any_looks_at_our_own_address_by_its_interface_and_a_list_never_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "own_public_address", {None: OURS, "eth1": PUBLIC_THERE}.get)
    assert AnyBackend.from_argument(None).external_ip() == OURS
    assert AnyBackend.from_argument(None, interface="eth1").external_ip() == PUBLIC_THERE
    assert AnyBackend.from_argument("pmp,upnp")._own_address() is None


# mappings to other hosts


NEIGHBOUR = IPv4Address("192.168.1.50")


class MapsForOthers(Gateway):
    """One that takes the client of a mapping."""

    def __init__(self, address: str, delay: float = 0.0) -> None:
        super().__init__(address, delay)
        self.clients: list[Address | None] = []

    @hookimpl
    def add_mapping(self, internal_port: int, client: Address | None) -> Grant:  # type: ignore[override]  # a hook takes what it needs
        self.clients.append(client)
        return Grant(internal_port, 600)

    @hookimpl
    def delete_mapping(self, client: Address | None) -> None:  # type: ignore[override]  # as above
        self.clients.append(client)


def test_for_another_host_a_backend_is_asked_that_can_map_for_it(a: Gateway) -> None:
    able = MapsForOthers(B, delay=0.02)
    backend = AnyBackend(Race(lambda: [Nat(a, "a"), Nat(able, "b")]))
    backend.external_ip()
    grant = backend.add_mapping(TCP, 0, 80, "web", 600, "", exact=False, client=NEIGHBOUR)
    backend.delete_mapping(TCP, 80, 80, grant.token, client=NEIGHBOUR)
    assert able.clients == [NEIGHBOUR, NEIGHBOUR]
    assert not a.asked("add_mapping")


def test_where_no_backend_can_map_for_another_host_it_is_refused(any_gateway: AnyBackend) -> None:
    with pytest.raises(Refused, match="for this host only, not for 192"):
        any_gateway.add_mapping(TCP, 0, 80, "web", 600, "", exact=False, client=NEIGHBOUR)


def test_a_host_with_a_public_address_maps_to_no_other() -> None:
    backend = AnyBackend(Race(list), own_address=lambda: IPv4Address(A))
    with pytest.raises(Refused, match="no gateway was asked to map to 192"):
        backend.add_mapping(TCP, 0, 80, "web", 600, "", exact=False, client=NEIGHBOUR)
