"""The backend `pcp`: how it maps, and answers that refuse or make no sense."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

import pluggy
import pytest
from tests.pcp.conftest import EXTERNAL, HERE, announced, mapped, refused

from portmap.errors import (
    Conflict,
    Garbled,
    GatewayTimeout,
    NotAuthorized,
    OutOfResources,
    Refused,
    SpecError,
)
from portmap.hookspecs import PROJECT, BackendSpec
from portmap.model import Grant, Kind, Protocol
from portmap.testing import Quirks, Router
from portmap.wire import Timeouts
from portmap_pcp import Pcp, Settings

if TYPE_CHECKING:
    from tests.pcp.conftest import MakePeer, Talk

from tests.pcp.requests_and_answers import NONCE, TCP, TalkTo, add


def test_it_is_a_loop_backend_that_is_preferred_to_others() -> None:
    assert (Pcp.kind, Pcp.preference) == (Kind.LOOP, 3)


def test_pluggy_finds_every_hook_in_order() -> None:
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(BackendSpec)
    backend = Pcp()
    manager.register(backend)
    manager.check_pending()
    names = {caller.name for caller in manager.get_hookcallers(backend) or ()}
    assert names == {"external_ip", "add_mapping", "delete_mapping", "watch"}


# mapping


def test_a_mapping_is_granted_with_its_address_and_its_nonce(peer: "MakePeer", talk_to: TalkTo) -> None:
    server = peer(mapped())
    grant = add(talk_to(server))
    assert grant == Grant(30303, 600, EXTERNAL, token=server.nonces[0])


def test_one_packet_maps_at_a_given_gateway_and_has_our_address(peer: "MakePeer", talk_to: TalkTo) -> None:
    server = peer(mapped())
    add(talk_to(server), token=NONCE, external=40404)
    assert [request.hex() for request in server.heard] == [
        "02010000 00000258 00000000000000000000ffff7f000001".replace(" ", "")
        + f"{NONCE} 06000000 765f 9dd4 00000000000000000000ffff00000000".replace(" ", "")
    ]


def test_where_only_one_port_will_do_failure_is_preferred_to_another(peer: "MakePeer", talk_to: TalkTo) -> None:
    server = peer(refused(11))
    with pytest.raises(Conflict):
        add(talk_to(server), external=40404, exact=True)
    assert server.heard[0].hex().endswith("02000000")  # PREFER_FAILURE, §13.2


def test_a_server_that_knows_no_such_option_is_asked_without(peer: "MakePeer", talk_to: TalkTo) -> None:
    server = peer(refused(5), mapped())
    assert add(talk_to(server), exact=True).external_port == 30303
    assert [len(request) for request in server.heard] == [64, 60]


def test_where_the_gateway_may_choose_the_internal_port_is_suggested(peer: "MakePeer", talk_to: TalkTo) -> None:
    server = peer(mapped())
    add(talk_to(server))
    assert server.heard[0][42:44].hex() == "765f"


def test_another_port_and_lifetime_than_asked_for_are_fine(talk: "Talk") -> None:
    grant = add(talk(mapped(40404, 120)))
    assert (grant.external_port, grant.lifetime) == (40404, 120)


def test_a_lifetime_of_years_is_taken_for_a_day(talk: "Talk") -> None:
    assert add(talk(mapped(lifetime=0xFFFFFFFF))).lifetime == 86400


def test_the_address_that_was_granted_is_suggested_again(peer: "MakePeer", talk_to: TalkTo) -> None:
    server = peer(mapped())
    backend = talk_to(server)
    add(backend)
    add(backend)
    assert server.heard[1][44:60] == IPv6Address(f"::ffff:{EXTERNAL}").packed


# what cannot be asked, answers that say no, answers that make no sense


@pytest.mark.parametrize(
    ("external", "internal", "lifetime"), [(0, 0, 600), (65536, 1, 600), (0, 70000, 600), (1, 1, 0)]
)
def test_an_impossible_mapping_is_the_callers_mistake(
    external: int, internal: int, lifetime: int, peer: "MakePeer", talk_to: TalkTo
) -> None:
    server = peer(mapped())
    with pytest.raises(SpecError):
        talk_to(server).add_mapping(TCP, external, internal, lifetime, "", exact=False, client=None)
    assert server.heard == []


def test_internal_port_0_which_means_all_is_never_sent(peer: "MakePeer", talk_to: TalkTo) -> None:
    server = peer(mapped(0, 0, internal=0))
    with pytest.raises(SpecError, match="internal port 0"):
        talk_to(server).delete_mapping(TCP, 0, 0, "", client=None)
    assert server.heard == []


@pytest.mark.parametrize(("result", "kind"), [(2, NotAuthorized), (7, Refused), (8, OutOfResources), (11, Conflict)])
def test_a_short_refusal_is_an_answer_and_its_time_is_told(result: int, kind: type[Refused], talk: "Talk") -> None:
    with pytest.raises(kind, match=r"PCP 127\.0\.0\.1 refused") as caught:
        add(talk(refused(result, 30)))
    assert (caught.value.code, caught.value.retry_after) == (result, 30)


def test_a_nat_in_between_is_called_double_nat(talk: "Talk") -> None:
    with pytest.raises(Refused, match="double NAT"):
        talk(announced(result=12)).external_ip()


@pytest.mark.parametrize("answer", [mapped(0), mapped(lifetime=0)])
def test_port_0_or_no_lifetime_is_no_mapping(answer: str, talk: "Talk") -> None:
    with pytest.raises(Garbled, match="no mapping"):
        add(talk(answer))


@pytest.mark.parametrize("address", ["::ffff:0.0.0.0", "::"])
def test_the_unspecified_address_is_no_external_address(address: str, talk: "Talk") -> None:
    with pytest.raises(Garbled, match="is its uplink connected"):
        add(talk(mapped(address=address)))


@pytest.mark.parametrize("address", ["2a00:77::2", "::203.0.113.7", "1::ffff:203.0.113.7"])
def test_an_ipv6_address_is_none_for_an_ipv4_mapping(address: str, talk: "Talk") -> None:
    with pytest.raises(Garbled, match="other IP version"):
        add(talk(mapped(address=address)))


def test_a_deletion_refused_for_want_of_resources_is_a_success(talk: "Talk") -> None:
    talk(refused(8)).delete_mapping(TCP, 30303, 30303, "", client=None)  # as miniupnpd, where there is no such mapping


def test_a_deletion_answered_with_a_lease_is_garbled(talk: "Talk") -> None:
    with pytest.raises(Garbled, match="open for 600 s"):
        talk(mapped()).delete_mapping(TCP, 30303, 30303, "", client=None)


def test_an_answer_with_another_nonce_is_waited_past(peer: "MakePeer", talk_to: TalkTo) -> None:
    server = peer(f"{mapped(1, nonce='ff' * 12)}; {mapped(2, internal=1)}; {mapped(3, protocol=17)}; {mapped(4)}")
    assert add(talk_to(server)).external_port == 4


def test_an_answer_from_another_address_is_ignored(peer: "MakePeer", talk_to: TalkTo) -> None:
    server = peer(f"~{mapped(1)}; {mapped(2)}")
    assert add(talk_to(server)).external_port == 2


def test_silence_is_a_timeout(peer: "MakePeer", impatient: Timeouts) -> None:
    with pytest.raises(GatewayTimeout):
        Pcp(HERE, Settings(port=peer("").port, timeouts=impatient)).external_ip()


# against the simulated router, which keeps a table


@pytest.mark.parametrize("protocol", Protocol)
def test_a_mapping_is_made_renewed_and_removed(protocol: Protocol, router: Router, backend: Pcp) -> None:
    first = backend.add_mapping(protocol, 0, 30303, 600, "", exact=False, client=None)
    assert (
        backend.add_mapping(protocol, first.external_port, 30303, 600, first.token, exact=False, client=None) == first
    )
    assert [(entry.protocol, entry.external_port) for entry in router.entries] == [(protocol, first.external_port)]
    backend.delete_mapping(protocol, first.external_port, 30303, first.token, client=None)
    assert router.entries == ()
    assert (router.heard.pcp_map, router.heard.pcp_unmap, router.heard.map) == (2, 1, 0)


def test_another_life_takes_over_what_it_has_the_token_of(router: Router, backend: Pcp, patient: Timeouts) -> None:
    token = add(backend).token
    another = Pcp(HERE, Settings(port=router.pmp_port, timeouts=patient, announced_at=()))
    assert add(another, token).token == token
    another.delete_mapping(TCP, 30303, 30303, token, client=None)
    assert router.entries == ()


def test_without_the_token_an_earlier_lifes_mapping_is_out_of_reach(
    router: Router, backend: Pcp, patient: Timeouts
) -> None:
    add(backend)
    another = Pcp(HERE, Settings(port=router.pmp_port, timeouts=patient, announced_at=()))
    with pytest.raises(NotAuthorized, match="a mapping of an earlier session holds this one") as caught:
        add(another)
    assert 0 < caught.value.retry_after <= 600


def test_deleting_what_is_not_there_is_a_success(router: Router, backend: Pcp) -> None:
    backend.delete_mapping(TCP, 30303, 30303, "", client=None)
    assert router.heard.pcp_unmap == 1


@pytest.mark.parametrize(
    "quirks",
    [Quirks(extra_option=True), Quirks(duplicate=True), Quirks(lost_first=2), Quirks(zero_error_lifetime=True)],
)
def test_quirks_that_cost_nothing(quirks: Quirks, router: Router, backend: Pcp) -> None:
    router.quirks = quirks
    assert add(backend).external_port == 30303


@pytest.mark.parametrize("short", [True, False])
@pytest.mark.parametrize(("result", "kind"), [(8, OutOfResources), (12, Refused), (10, OutOfResources)])
def test_refusals_of_either_length_are_answers(
    result: int, kind: type[Refused], short: bool, router: Router, backend: Pcp
) -> None:
    router.quirks = Quirks(pcp_result=result, short_errors=short)
    with pytest.raises(kind):
        add(backend)


@pytest.mark.parametrize(
    "quirks",
    [
        Quirks(wrong_nonce=True),
        Quirks(wrong_internal_port=True),
        Quirks(garbage=True),
        Quirks(truncated=True),
        Quirks(zero_port=True),
        Quirks(zero_wan=True),
    ],
)
def test_a_router_that_makes_no_sense_is_garbled(quirks: Quirks, router: Router, ticking: Callable[[], float]) -> None:
    router.quirks = quirks
    settings = Settings(port=router.pmp_port, timeouts=Timeouts(1.0, 2.0), clock=ticking, announced_at=())
    with pytest.raises(Garbled):
        add(Pcp(HERE, settings))


@pytest.mark.parametrize("quirks", [Quirks(silent=True), Quirks(wrong_sender=True)])
def test_a_router_that_is_not_heard_is_a_timeout(quirks: Quirks, router: Router, impatient: Timeouts) -> None:
    router.quirks = quirks
    with pytest.raises(GatewayTimeout):
        add(Pcp(HERE, Settings(port=router.pmp_port, timeouts=impatient, announced_at=())))


def test_a_router_that_speaks_pcp_only_is_used_and_tells_its_address_with_the_mapping(patient: Timeouts) -> None:
    with Router(upnp=False, pmp=False, pcp=True, pmp_port=0) as router:
        backend = Pcp(HERE, Settings(port=router.pmp_port, timeouts=patient, announced_at=()))
        with pytest.raises(Refused, match="not known before the first mapping"):
            backend.external_ip()
        assert add(backend).external_ip == backend.external_ip() == IPv4Address("1.2.3.4")
