"""The backends `none` and `any`: who is asked, and what `any` makes of refusals and gateways without an address."""

from dataclasses import replace

import pytest
from tests.backends.scripted_gateways import NAME, TCP, A, B, Gateway, add, holders

from portmap.backends.any.backend import AnyBackend
from portmap.backends.nat import Nat
from portmap.backends.none import NoNat
from portmap.errors import Conflict, GatewayTimeout, NoGateway, PluginError, Refused
from portmap.model import Grant, Kind

# none


def test_none_takes_no_nat_and_no_argument() -> None:
    assert (NoNat.kind, str(NoNat.from_argument(None))) == (Kind.NONE, "no NAT")


def test_none_asked_in_earnest_says_what_to_do() -> None:
    with pytest.raises(NoGateway, match="choose a backend with --nat"):
        Nat(NoNat(), "none").external_ip()


def test_none_has_nothing_to_delete() -> None:
    Nat(NoNat(), "none").delete_mapping(TCP, 80, 80)


# who is asked by any


def test_the_first_to_answer_is_the_gateway(any_gateway: AnyBackend) -> None:
    assert (str(any_gateway), str(any_gateway.external_ip()), str(any_gateway)) == ("any", A, f"gateway {A}")


def test_the_winner_is_asked_alone_from_then_on(any_gateway: AnyBackend, b: Gateway) -> None:
    any_gateway.external_ip()
    assert b.answered.wait(5)  # it may be asked after the winner has answered
    for _ in range(2):
        any_gateway.external_ip()
    assert b.asked("external_ip") == 1


def test_the_winner_maps(any_gateway: AnyBackend, a: Gateway, b: Gateway) -> None:
    any_gateway.external_ip()
    add(any_gateway)
    assert holders(a, b) == [A]


def test_a_mapping_that_is_asked_for_first_finds_the_gateway_too(any_gateway: AnyBackend, a: Gateway) -> None:
    assert add(any_gateway) == replace(Grant(80, 600), token=NAME)
    assert holders(a) == [A]


def test_a_winner_without_an_uplink_stays_the_gateway(any_gateway: AnyBackend, a: Gateway) -> None:
    any_gateway.external_ip()
    a.now(Refused("no uplink"), "external_ip")
    with pytest.raises(Refused, match="no uplink"):
        any_gateway.external_ip()
    assert str(any_gateway) == f"gateway {A}"


# what any makes of refusals


@pytest.mark.parametrize("error", [Conflict("taken"), PluginError("broken"), ValueError("oops")])
def test_where_the_winner_would_not_the_runner_up_maps(
    any_gateway: AnyBackend, a: Gateway, b: Gateway, error: Exception
) -> None:
    a.now(error, "add_mapping")
    any_gateway.external_ip()
    add(any_gateway)
    assert holders(a, b) == [B]


def test_a_mapping_is_renewed_by_the_backend_that_made_it(any_gateway: AnyBackend, a: Gateway, b: Gateway) -> None:
    a.now(Conflict("taken"), "add_mapping")
    add(any_gateway)
    a.now(None)
    add(any_gateway)
    assert (a.asked("add_mapping"), b.asked("add_mapping")) == (1, 2)


def test_where_all_refuse_the_winners_reason_is_told(any_gateway: AnyBackend, a: Gateway, b: Gateway) -> None:
    a.now(Conflict("taken at a"), "add_mapping")
    b.now(Refused("forbidden at b"), "add_mapping")
    with pytest.raises(Conflict, match="taken at a"):
        add(any_gateway)


def test_a_runner_up_that_has_gone_does_not_hide_the_winners_reason(
    any_gateway: AnyBackend, a: Gateway, b: Gateway
) -> None:
    a.now(Conflict("taken at a"), "add_mapping")
    b.now(GatewayTimeout("gone"), "add_mapping")
    with pytest.raises(Conflict, match="taken at a"):
        add(any_gateway)


def test_a_refusal_is_not_remembered(any_gateway: AnyBackend, a: Gateway, b: Gateway) -> None:
    a.now(Conflict("taken"), "add_mapping")
    b.now(Conflict("taken"), "add_mapping")
    with pytest.raises(Conflict):
        add(any_gateway)
    a.now(None)
    add(any_gateway)
    assert holders(a, b) == [A]


# what any makes of gateways that state no address


@pytest.fixture
def addressless(any_gateway: AnyBackend, a: Gateway, b: Gateway) -> AnyBackend:
    """Both gateways answer, and say that they have no address."""
    a.now(Refused("a has no address"), "external_ip")
    b.now(Refused("b has no address"), "external_ip")
    return any_gateway


def test_a_gateway_without_an_address_maps_all_the_same(addressless: AnyBackend, a: Gateway, b: Gateway) -> None:
    with pytest.raises(Refused, match="has no address"):
        addressless.external_ip()
    add(addressless)
    assert holders(a, b) == [A]
    addressless.delete_mapping(TCP, 80, 80, "", client=None)
    assert holders(a, b) == []


def test_of_several_gateways_without_an_address_the_next_maps_where_one_would_not(
    addressless: AnyBackend, a: Gateway, b: Gateway
) -> None:
    a.now(Refused("a maps nothing"), "add_mapping")
    add(addressless)
    assert holders(a, b) == [B]


def test_a_gateway_without_an_address_renews_what_it_mapped_without_another_race(
    addressless: AnyBackend, a: Gateway
) -> None:
    add(addressless)
    raced = a.asked("external_ip")
    add(addressless)
    assert (a.asked("external_ip"), a.asked("add_mapping")) == (raced, 2)


def test_a_gateway_without_an_address_that_falls_silent_is_told_as_silent(
    addressless: AnyBackend, a: Gateway, b: Gateway
) -> None:
    for gateway in (a, b):
        gateway.now(GatewayTimeout(f"{gateway.address} is silent"), "add_mapping")
    with pytest.raises(GatewayTimeout, match="is silent"):
        add(addressless)


def test_a_gateway_with_an_address_is_taken_as_soon_as_there_is_one(addressless: AnyBackend, b: Gateway) -> None:
    add(addressless)
    b.now(None)
    assert str(addressless.external_ip()) == B
