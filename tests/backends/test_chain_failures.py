"""A chain of gateways that follow a script: what is deleted, and what becomes of failures."""

import threading
from collections.abc import Callable
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
from portmap.backends.none import NoNat
from portmap.errors import Conflict, GatewayTimeout, NoGateway, OutOfResources, PluginError, Refused, SpecError
from portmap.testing.scripted import ScriptedBackend

# Deletion


def test_a_port_is_shut_from_the_outside_in(chain: ChainNat, inner: Hop, outer: Hop, log: Log) -> None:
    grant = add(chain, 443)
    log.clear()
    delete(chain, grant)
    assert log == [
        ("delete", OUTER, 443, 8080, INNER_OUTSIDE, f"{OUTER}:443"),
        ("delete", INNER, 8080, 8080, None, f"{INNER}:8080"),
    ]
    assert not inner.table | outer.table


def test_a_silent_outer_gateway_keeps_no_inner_port_open(chain: ChainNat, inner: Hop, outer: Hop) -> None:
    grant = add(chain)
    outer.errors["delete_mapping"] = GatewayTimeout("silent")
    with pytest.raises(GatewayTimeout, match=r"^hop 2 of 2, gateway 10\.0\.1\.1: silent$"):
        delete(chain, grant)
    assert not inner.table


def test_a_mapping_of_an_earlier_life_is_deleted_by_its_token(chain: ChainNat, inner: Hop, outer: Hop) -> None:
    grant = add(chain, 443)
    delete(chain_of(inner, outer), grant)
    assert not inner.table | outer.table


def test_a_mapping_of_an_earlier_life_is_taken_over_and_moved(chain: ChainNat, inner: Hop, outer: Hop) -> None:
    grant = add(chain, 443)
    inner.address = IPv4Address("10.0.1.9")
    later = chain_of(inner, outer)
    later.external_ip()
    add(later, 443, grant.token)
    assert outer.table == {(TCP, 443): (IPv4Address("10.0.1.9"), 8080)}


@pytest.mark.parametrize(
    "token", ["", "x", "[]", "[[]]", "null", "[1,2]", '[["",1,2,""]]', '[["x",1,2,""],["",1,2,""]]']
)
def test_where_nothing_is_known_only_the_innermost_gateway_is_asked_to_delete(
    token: str, chain: ChainNat, log: Log
) -> None:
    chain.delete_mapping(TCP, 443, 8080, token=token)
    assert log == [("delete", INNER, 443, 8080, None, "")]


def test_after_a_deletion_the_token_of_what_is_gone_means_nothing(chain: ChainNat, inner: Hop, outer: Hop) -> None:
    grant = add(chain)
    delete(chain, grant)
    outer.errors["add_mapping"] = Refused("no")
    with pytest.raises(Refused):
        add(chain, 443, grant.token)
    assert not inner.table


def test_a_stale_outer_mapping_that_may_not_be_deleted_is_left_to_its_lease(
    chain: ChainNat, inner: Hop, outer: Hop
) -> None:
    grant = add(chain)
    inner.address = IPv4Address("10.0.1.9")
    chain.external_ip()
    outer.errors["delete_mapping"] = Refused("only the host itself may")
    delete(chain, grant)
    assert not inner.table


# Failures


@pytest.mark.parametrize("error", [Refused("no"), OutOfResources("full"), Conflict("taken")])
def test_what_an_outer_gateway_refuses_is_taken_back_at_the_inner_one(
    error: Refused, chain: ChainNat, inner: Hop, outer: Hop
) -> None:
    outer.errors["add_mapping"] = error
    with pytest.raises(type(error), match=f"^hop 2 of 2, gateway 10.0.1.1: {error}$"):
        add(chain)
    assert not inner.table


def test_a_renewal_that_an_outer_gateway_refuses_leaves_the_inner_port_open(
    chain: ChainNat, inner: Hop, outer: Hop
) -> None:
    grant = add(chain)
    outer.errors["add_mapping"] = Refused("not now")
    with pytest.raises(Refused):
        add(chain, token=grant.token)
    assert inner.table
    assert outer.table


def test_where_the_outer_gateway_is_silent_the_inner_port_is_shut_and_the_outer_one_can_be_deleted(
    chain: ChainNat, inner: Hop, outer: Hop, log: Log
) -> None:
    outer.errors["add_mapping"] = GatewayTimeout("silent")
    with pytest.raises(GatewayTimeout):
        add(chain, 443)
    assert not inner.table
    del outer.errors["add_mapping"]
    log.clear()
    chain.delete_mapping(TCP, 443, 8080)
    assert [call[:4] for call in log] == [("delete", OUTER, 443, 8080)]


def test_a_stop_while_the_outer_gateway_hangs_leaves_nothing_at_the_inner_one(
    inner: Hop, outer: Hop, eventually: Callable[[Callable[[], object]], None]
) -> None:
    chain, released = chain_of(inner, outer), threading.Event()
    close = chain.watch(lambda _: None)
    outer.hangs_until = released
    refusals: list[Refused] = []

    def ask() -> None:
        try:
            add(chain)
        except Refused as error:
            refusals.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    eventually(lambda: any(entry[:2] == ("add", outer.name) for entry in outer.log))
    close()
    assert not inner.table
    released.set()
    asking.join()
    assert "the session had ended" in str(refusals[0])
    assert not outer.table


@pytest.mark.parametrize("hook", ["external_ip", "add_mapping"])
def test_a_failure_says_at_which_hop(hook: str, chain: ChainNat, inner: Hop, outer: Hop) -> None:
    calls: dict[str, Callable[[], object]] = {"external_ip": chain.external_ip, "add_mapping": lambda: add(chain)}
    inner.errors[hook] = NoGateway("gone")
    with pytest.raises(NoGateway, match=r"^hop 1 of 2, gateway 10\.0\.0\.1: gone$"):
        calls[hook]()
    inner.errors.clear()
    outer.errors[hook] = GatewayTimeout("gateway 10.0.1.1 is silent")  # it names itself
    with pytest.raises(GatewayTimeout, match=r"^hop 2 of 2: gateway 10\.0\.1\.1 is silent$"):
        calls[hook]()


def test_a_fault_of_a_plugin_says_at_which_hop(chain: ChainNat, outer: Hop) -> None:
    outer.errors["add_mapping"] = ValueError("oops")
    with pytest.raises(PluginError, match=r"hop 2 of 2.*ValueError: oops"):
        add(chain)


def test_an_inner_address_that_cannot_be_had_is_the_inner_gateways_failure(chain: ChainNat, inner: Hop) -> None:
    inner.errors["external_ip"] = Refused("no address")
    with pytest.raises(Refused, match=r"^hop 1 of 2, gateway 10\.0\.0\.1: no address$"):
        add(chain)
    assert not inner.table


def test_a_backend_that_maps_for_this_host_only_cannot_be_an_outer_hop(inner: Hop) -> None:
    with pytest.raises(SpecError, match="the scripted gateway opens ports for this host only, so it cannot be beyond"):
        chain_of(inner, ScriptedBackend())


def test_a_backend_that_maps_for_this_host_only_can_be_the_innermost_hop(outer: Hop) -> None:
    assert add(chain_of(ScriptedBackend(), outer)).external_port == 8080


def test_the_same_gateway_twice_is_no_chain(inner: Hop, log: Log) -> None:
    chain = chain_of(inner, Hop(INNER, PUBLIC, log))
    with pytest.raises(NoGateway, match=r"^hop 2 of 2: gateway 10\.0\.0\.1 is hop 1 as well: name the one"):
        chain.external_ip()
    with pytest.raises(NoGateway):
        add(chain)
    assert not inner.table


def test_what_opens_no_ports_is_no_hop(inner: Hop) -> None:
    class OnlyLearns(ScriptedBackend):
        opens_ports = False

    class Firewall(ScriptedBackend):
        ipv6 = True

    for backend in (NoNat(), OnlyLearns(), Firewall()):
        with pytest.raises(SpecError):
            chain_of(inner, backend)
