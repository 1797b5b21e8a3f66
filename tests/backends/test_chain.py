"""A chain of gateways that follow a script: what each is asked, in which order."""

from ipaddress import IPv4Address

import pytest
from tests.backends.chained_gateways import (
    INNER,
    INNER_OUTSIDE,
    OUTER,
    PUBLIC,
    TCP,
    Hop,
    Log,
    add,
    chain_of,
    delete,
)

from portmap.backends.chain.chain_nat import ChainNat
from portmap.errors import NotYet
from portmap.model import Key

# Opening


def test_the_outer_gateway_maps_to_what_the_inner_one_granted(chain: ChainNat, inner: Hop, outer: Hop) -> None:
    inner.port_for = lambda _: 40001
    grant = add(chain, 443)
    assert inner.table == {(TCP, 40001): (None, 8080)}
    assert outer.table == {(TCP, 443): (INNER_OUTSIDE, 40001)}
    assert grant.external_port == 443


def test_the_external_address_is_the_outermost_one(chain: ChainNat) -> None:
    assert chain.external_ip() == PUBLIC


def test_the_inner_gateway_is_asked_for_no_special_port_and_the_outer_one_for_the_wanted_one(
    chain: ChainNat, log: Log
) -> None:
    add(chain, 443)
    assert [call[:4] for call in log] == [("add", INNER, 0, 8080), ("add", OUTER, 443, 8080)]


def test_without_a_wish_the_outer_gateway_is_asked_for_the_applications_port(
    chain: ChainNat, inner: Hop, outer: Hop
) -> None:
    inner.port_for = lambda _: 40001
    add(chain)
    assert (TCP, 8080) in outer.table


def test_three_gateways_are_a_chain_as_well(log: Log, inner: Hop, outer: Hop) -> None:
    third = Hop("10.0.2.1", IPv4Address("9.9.9.9"), log)
    outer.address = IPv4Address("10.0.2.2")
    chain = chain_of(inner, outer, third)
    grant = add(chain, 443)
    assert third.table == {(TCP, 443): (IPv4Address("10.0.2.2"), 8080)}
    assert chain.external_ip() == IPv4Address("9.9.9.9")
    delete(chain, grant)
    assert [call[:2] for call in log if call[0] == "delete"] == [("delete", it) for it in ("10.0.2.1", OUTER, INNER)]


def test_the_lease_ends_with_the_first_one(chain: ChainNat, inner: Hop, outer: Hop) -> None:
    inner.lifetime = 120
    assert add(chain).lifetime == 120
    inner.lifetime, outer.lifetime = 0, 60  # permanent
    assert add(chain).lifetime == 60


def test_only_the_outermost_port_has_to_be_the_wanted_one(chain: ChainNat, log: Log) -> None:
    chain.add_mapping(TCP, 443, 8080, "web", 600, exact=True)
    assert [call for call in log if call[0] == "exactly"] == [("exactly", OUTER)]


def test_an_address_that_comes_with_the_grant_is_the_next_ones_client(chain: ChainNat, inner: Hop, outer: Hop) -> None:
    inner.states_with_grant = True
    inner.errors["external_ip"] = NotYet("with a mapping only")
    assert chain.external_ip() == PUBLIC
    add(chain)
    assert outer.table == {(TCP, 8080): (INNER_OUTSIDE, 8080)}


def test_the_grant_of_the_outermost_gateway_tells_the_address(chain: ChainNat, outer: Hop) -> None:
    outer.states_with_grant = True
    assert add(chain).external_ip == PUBLIC


def test_the_notes_of_all_hops_are_told_with_their_place(chain: ChainNat, inner: Hop, outer: Hop) -> None:
    inner.note, outer.note = "taken over", "not confirmed"
    add(chain)
    assert chain.grant_note(Key(TCP, 8080)) == "hop 1: taken over; hop 2: not confirmed"


# Renewal


def test_a_renewal_extends_each_hop_as_it_is_with_its_own_token(chain: ChainNat, inner: Hop, log: Log) -> None:
    inner.port_for = lambda port: 40001 if port == 8080 else port
    grant = add(chain, 443)
    log.clear()
    again = add(chain, 443, grant.token)
    assert log == [
        ("add", INNER, 40001, 8080, None, f"{INNER}:40001"),
        ("add", OUTER, 443, 40001, INNER_OUTSIDE, f"{OUTER}:443"),
    ]
    assert again == grant


def test_where_the_inner_port_changes_the_outer_mapping_is_moved(
    chain: ChainNat, inner: Hop, outer: Hop, log: Log
) -> None:
    grant = add(chain, 443)
    inner.port_for = lambda _: 40002
    log.clear()
    add(chain, 443, grant.token)
    assert outer.table == {(TCP, 443): (INNER_OUTSIDE, 40002)}
    assert [call[:2] for call in log] == [("add", INNER), ("delete", OUTER), ("add", OUTER)]


def test_where_the_inner_address_changes_the_loop_is_told_and_the_outer_mapping_is_moved(
    chain: ChainNat, inner: Hop, outer: Hop
) -> None:
    alerts: list[str] = []
    chain.watch(alerts.append)
    chain.external_ip()
    grant = add(chain, 443)
    inner.address = IPv4Address("10.0.1.9")
    chain.external_ip()
    assert alerts == [f"the outer address of gateway {INNER} changed: 10.0.1.2 -> 10.0.1.9"]
    add(chain, 443, grant.token)
    assert outer.table == {(TCP, 443): (IPv4Address("10.0.1.9"), 8080)}


def test_another_address_of_the_outermost_gateway_is_the_loops_affair(chain: ChainNat, outer: Hop) -> None:
    alerts: list[str] = []
    chain.watch(alerts.append)
    chain.external_ip()
    outer.address = IPv4Address("5.6.7.8")
    assert chain.external_ip() == IPv4Address("5.6.7.8")
    assert not alerts


def test_after_an_alert_of_the_inner_gateway_its_address_is_asked_for_again(
    chain: ChainNat, inner: Hop, outer: Hop
) -> None:
    alerts: list[str] = []
    chain.watch(alerts.append)
    grant = add(chain, 443)
    inner.address = IPv4Address("10.0.1.9")
    inner.alerts[0]("restarted")
    assert alerts == ["restarted"]
    add(chain, 443, grant.token)
    assert outer.table == {(TCP, 443): (IPv4Address("10.0.1.9"), 8080)}


# Looking


@pytest.mark.parametrize(
    ("inside", "outside", "answer"),
    [(True, True, True), (False, True, False), (None, False, False), (True, None, None), (None, None, None)],
)
def test_a_mapping_is_there_where_every_hop_lists_it(
    inside: bool | None,
    outside: bool | None,
    answer: bool | None,
    chain: ChainNat,
    inner: Hop,
    outer: Hop,
) -> None:
    grant = add(chain)
    inner.lists, outer.lists = inside, outside
    assert chain.has_mapping(TCP, 8080, 8080, token=grant.token) is answer


def test_an_outer_mapping_that_leads_to_an_old_address_is_not_there(chain: ChainNat, inner: Hop) -> None:
    grant = add(chain)
    inner.address = IPv4Address("10.0.1.9")
    chain.external_ip()
    assert chain.has_mapping(TCP, 8080, 8080, token=grant.token) is False


def test_of_what_was_never_opened_nothing_can_be_told(chain: ChainNat) -> None:
    assert chain.has_mapping(TCP, 8080, 8080) is None


def test_hints_and_evidence_are_those_of_all_hops(chain: ChainNat, inner: Hop, outer: Hop) -> None:
    chain.external_ip()
    chain.take_hint(chain.hint())
    assert (inner.hints, outer.hints) == ([f"hint of {INNER}"], [f"hint of {OUTER}"])
    assert chain.evidence() == (
        f"hop 1: gateway {INNER}, outer address {INNER_OUTSIDE}",
        f"hop 1: {INNER} answered",
        f"hop 2: gateway {OUTER}, outer address {PUBLIC}",
        f"hop 2: {OUTER} answered",
    )
    assert str(chain) == f"gateway {INNER}, beyond it gateway {OUTER}"


@pytest.mark.parametrize("hint", ["", "x", "[]", '["a"]', "[1,2]", "{}", "[" * 5000])
def test_a_hint_of_something_else_is_not_taken(hint: str, chain: ChainNat, inner: Hop) -> None:
    chain.take_hint(hint)
    assert not inner.hints
