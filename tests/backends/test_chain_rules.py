"""Rules of a chain: what is remembered after a failure, which port fits, what a watch that took over hears."""

import threading
from collections.abc import Callable
from ipaddress import IPv4Address

import pytest
from tests.backends.chained_gateways import INNER, OUTER, PUBLIC, TCP, Hop, Log, add, chain_of, delete

from portmap.backends.chain import chain_mapping
from portmap.backends.chain.chain_nat import ChainNat
from portmap.errors import Conflict, GatewayTimeout, NotYet, Refused

Eventually = Callable[[Callable[[], object]], None]


# What is remembered


def test_what_was_refused_is_not_remembered(chain: ChainNat, outer: Hop, log: Log) -> None:
    outer.errors["add_mapping"] = Refused("no")
    with pytest.raises(Refused):
        add(chain, 443)
    log.clear()
    chain.delete_mapping(TCP, 443, 8080)
    assert [call[:2] for call in log] == [("delete", INNER)]


def test_a_renewal_that_was_refused_is_deleted_as_it_was_opened(chain: ChainNat, outer: Hop, log: Log) -> None:
    add(chain, 443)
    outer.errors["add_mapping"] = Refused("no")
    with pytest.raises(Refused):
        add(chain, 444)
    log.clear()
    chain.delete_mapping(TCP, 443, 8080)
    assert log[0][:4] == ("delete", OUTER, 443, 8080)


def test_a_deletion_that_the_outer_gateway_refuses_is_told(chain: ChainNat, inner: Hop, outer: Hop) -> None:
    grant = add(chain)
    outer.errors["delete_mapping"] = Refused("not now")
    with pytest.raises(Refused, match="not now"):
        delete(chain, grant)
    assert not inner.table


def test_a_stale_mapping_at_a_silent_gateway_is_told_as_well(chain: ChainNat, inner: Hop, outer: Hop) -> None:
    grant = add(chain)
    inner.address = IPv4Address("10.0.1.9")
    chain.external_ip()
    outer.errors["delete_mapping"] = GatewayTimeout("silent")
    with pytest.raises(GatewayTimeout):
        delete(chain, grant)


def test_a_mapping_that_may_not_be_deleted_does_not_keep_the_new_one_from_being_asked_for(
    chain: ChainNat, inner: Hop, outer: Hop, log: Log
) -> None:
    grant = add(chain, 443)
    inner.port_for = lambda _: 40002
    outer.errors["delete_mapping"] = Refused("not yours")
    add(chain, 443, grant.token)
    assert log[-1][:4] == ("add", OUTER, 443, 40002)


def test_an_outer_gateway_that_hangs_in_a_deletion_leaves_time_for_the_inner_one(
    chain: ChainNat, inner: Hop, outer: Hop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain_mapping, "DELETE_TIME", 0.05)
    grant = add(chain)
    outer.hangs_until = released = threading.Event()
    with pytest.raises(GatewayTimeout, match="hop 2 of 2"):
        chain.delete_mapping(TCP, grant.external_port, 8080, timeout=3, token=grant.token)
    assert not inner.table
    released.set()


def test_at_the_end_a_gateway_that_was_silent_is_not_asked_again(chain: ChainNat, outer: Hop, log: Log) -> None:
    close = chain.watch(lambda _: None)
    add(chain, 443)
    outer.errors["add_mapping"] = GatewayTimeout("silent")
    with pytest.raises(GatewayTimeout):
        add(chain, 443)
    log.clear()
    close()
    assert [call[:2] for call in log] == [("delete", INNER)]


# Ports and leases


@pytest.mark.parametrize("internal_port", [0, 1])
def test_where_the_gateways_need_no_port_of_ours_all_of_them_have_the_same(
    internal_port: int, chain: ChainNat, inner: Hop
) -> None:
    inner.port_for = lambda _: 50123
    assert chain.add_mapping(TCP, 0, internal_port, "vpn", 60).external_port == 50123


def test_where_they_give_different_ones_nothing_is_open(chain: ChainNat, inner: Hop, outer: Hop) -> None:
    inner.port_for, outer.port_for = lambda _: 50123, lambda _: 50124
    with pytest.raises(Conflict, match="different ports"):
        chain.add_mapping(TCP, 0, 1, "vpn", 60)
    assert not inner.table | outer.table


def test_what_is_permanent_at_every_hop_is_permanent(chain: ChainNat, inner: Hop, outer: Hop) -> None:
    inner.lifetime = outer.lifetime = 0
    assert add(chain).lifetime == 0


def test_the_default_mappings_are_those_of_the_innermost_backend(inner: Hop, outer: Hop) -> None:
    inner.default_mappings, outer.default_mappings = ("1=follow/both",), ("2=follow/both",)  # type: ignore[attr-defined]  # optional
    inner.default_lifetime, outer.default_lifetime = 600, 60  # type: ignore[attr-defined]  # optional
    made = chain_of(inner, outer)
    assert (made.default_mappings, made.default_lifetime) == (("1=follow/both",), 60)


# Addresses, watches, hints


def test_an_outermost_address_that_comes_with_a_mapping_only_is_not_yet_known(chain: ChainNat, outer: Hop) -> None:
    assert chain.external_ip() == PUBLIC
    outer.errors["external_ip"] = NotYet("with a mapping only")
    with pytest.raises(NotYet, match="with a mapping only"):
        chain.external_ip()


def test_a_watch_that_took_over_hears_of_changes_after_the_end_of_the_first(chain: ChainNat, inner: Hop) -> None:
    first: list[str] = []
    second: list[str] = []
    end_first = chain.watch(first.append)
    chain.watch(second.append)
    end_first()
    chain.external_ip()
    inner.address = IPv4Address("10.0.1.9")
    chain.external_ip()
    assert (len(first), len(second)) == (0, 1)


@pytest.mark.parametrize("hint", ['["a"]', '["a", "b", "c"]', '{"a": 1, "b": 2}'])
def test_the_hint_of_a_chain_of_another_length_is_not_taken(hint: str, chain: ChainNat, inner: Hop, outer: Hop) -> None:
    chain.take_hint(hint)
    assert not inner.hints + outer.hints
