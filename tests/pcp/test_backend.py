from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

import pluggy
import pytest
from tests.pcp.conftest import ADDRESS, EXTERNAL, HERE, NATPMP_ONLY, Peer, announced, mapped, refused

from portmap.errors import (
    Conflict,
    Garbled,
    GatewayTimeout,
    NATError,
    NoGateway,
    NoPublicAddress,
    NotAuthorized,
    OutOfResources,
    Refused,
    SpecError,
    UnverifiedGateway,
)
from portmap.hookspecs import PROJECT, BackendSpec
from portmap.model import Grant, Kind, Protocol
from portmap.testing import Quirks, Router
from portmap.wire import Timeouts
from portmap_pcp import Pcp, Settings

if TYPE_CHECKING:
    from tests.pcp.conftest import MakePeer, Talk

TalkTo = Callable[[Peer], Pcp]
NONCE = "0123456789abcdef01234567"
TCP = Protocol.TCP
WORKS = Timeouts(first_wait=0.02, deadline=5.0)


def add(backend: Pcp, token: str = "", external: int = 0, lifetime: int = 600, *, exact: bool = False) -> Grant:
    return backend.add_mapping(TCP, external, 30303, lifetime, token, exact, client=None)


def looking_for(*candidates: IPv4Address, port: int, timeouts: Timeouts = WORKS) -> Pcp:
    settings = Settings(port=port, timeouts=timeouts, announced_at=())
    return Pcp(None, settings, candidates=lambda: list(candidates), own_address=lambda _: HERE)


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


# the nonce: RFC 6887 §11.2


def test_a_lost_packet_is_repeated_with_its_nonce(peer: "MakePeer", talk_to: TalkTo) -> None:
    server = peer("", "", mapped())
    add(talk_to(server))
    assert len(server.nonces) == 3
    assert len(set(server.nonces)) == 1


def test_a_mapping_that_timed_out_is_asked_for_again_with_its_nonce(peer: "MakePeer", impatient: Timeouts) -> None:
    server = peer("")
    backend = Pcp(HERE, Settings(port=server.port, timeouts=impatient))
    for _ in range(2):
        with pytest.raises(GatewayTimeout):
            add(backend)
    assert len(set(server.nonces)) == 1


def test_renewal_and_deletion_have_the_nonce_of_the_mapping(peer: "MakePeer", talk_to: TalkTo) -> None:
    server = peer(mapped(), mapped(), mapped(0, 0))
    backend = talk_to(server)
    grant = add(backend)
    add(backend)
    backend.delete_mapping(TCP, 30303, 30303, "", client=None)
    assert set(server.nonces) == {grant.token}  # a busy machine repeats a question
    assert len(server.nonces) >= 3


def test_an_earlier_life_is_continued_by_its_token(peer: "MakePeer", talk_to: TalkTo) -> None:
    server = peer(mapped(), mapped(0, 0))
    assert add(talk_to(server), NONCE).token == NONCE
    talk_to(server).delete_mapping(TCP, 30303, 30303, NONCE, client=None)
    assert server.nonces == [NONCE, NONCE]


def test_every_mapping_has_a_nonce_of_its_own(peer: "MakePeer", talk_to: TalkTo) -> None:
    server = peer(mapped(), mapped(protocol=17), mapped(internal=30304))
    backend = talk_to(server)
    add(backend)
    backend.add_mapping(Protocol.UDP, 0, 30303, 600, "", exact=False, client=None)
    backend.add_mapping(TCP, 0, 30304, 600, "", exact=False, client=None)
    assert len(set(server.nonces)) == 3


def test_after_its_deletion_a_mapping_is_another_one(peer: "MakePeer", talk_to: TalkTo) -> None:
    server = peer(mapped(), mapped(0, 0), mapped())
    backend = talk_to(server)
    add(backend)
    backend.delete_mapping(TCP, 30303, 30303, "", client=None)
    add(backend)
    assert server.nonces[0] != server.nonces[2]


def test_from_another_address_of_ours_it_is_another_mapping(peer: "MakePeer", patient: Timeouts) -> None:
    server, ours = peer(mapped()), [HERE, IPv4Address("127.0.0.3")]
    backend = Pcp(HERE, Settings(port=server.port, timeouts=patient, announced_at=()), own_address=lambda _: ours[0])
    token = add(backend).token
    ours.reverse()
    add(backend, token)
    ours.reverse()
    add(backend, token)
    assert server.senders == ["127.0.0.1", "127.0.0.3", "127.0.0.1"]
    assert [request[20:24] for request in server.heard] == [IPv4Address(sender).packed for sender in server.senders]
    assert server.nonces[0] == server.nonces[2] != server.nonces[1]


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


# the external address: known from a mapping, or asked for in NAT-PMP, never bought with a mapping


def test_after_a_mapping_the_address_is_known_and_a_sign_of_life_is_asked_for(
    peer: "MakePeer", talk_to: TalkTo
) -> None:
    server = peer(mapped(), announced(6))
    backend = talk_to(server)
    add(backend)
    assert backend.external_ip() == EXTERNAL
    assert server.heard[1].hex() == "0200000000000000" + IPv6Address(f"::ffff:{HERE}").packed.hex()


def test_before_the_first_mapping_the_address_is_asked_for_in_natpmp(peer: "MakePeer", talk_to: TalkTo) -> None:
    server = peer(announced(), ADDRESS)
    assert talk_to(server).external_ip() == EXTERNAL
    assert [len(request) for request in server.heard] == [24, 2]


@pytest.mark.parametrize("answer", ["02 80 0001 00000000 00000e10" + "00" * 12, "", "ffff", "00 80 0002 00000005"])
def test_where_natpmp_is_not_spoken_the_address_is_not_known_yet(answer: str, talk: "Talk") -> None:
    with pytest.raises(Refused, match="not known before the first mapping"):
        talk(announced(), answer).external_ip()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("00 80 0003 00000005", r"no public address.*double NAT.*uplink is down"),
        ("00 80 0000 00000005 00000000", "is its uplink connected"),
    ],
)
def test_a_gateway_without_an_address_says_so(answer: str, words: str, talk: "Talk") -> None:
    with pytest.raises(Refused, match=words):
        talk(announced(), answer).external_ip()


def test_each_check_learns_the_address_in_natpmp(talk: "Talk") -> None:
    moved = "00 80 0000 00000005 08080808"
    backend = talk(mapped(), announced(), ADDRESS, announced(), moved, moved)
    add(backend)
    assert [str(backend.external_ip()) for _ in range(2)] == ["203.0.113.7", "8.8.8.8"]


def test_a_changed_address_that_is_not_confirmed_is_not_taken(talk: "Talk") -> None:
    backend = talk(mapped(), announced(), "00 80 0000 00000005 08080808", "00 80 0000 00000005 09090909")
    add(backend)
    assert backend.external_ip() == EXTERNAL


def test_a_server_that_speaks_no_natpmp_is_asked_for_the_address_once(peer: "MakePeer", talk_to: TalkTo) -> None:
    server = peer(mapped(), announced(), "ffff", "ffff", "ffff", announced())
    backend = talk_to(server)
    add(backend)
    assert [backend.external_ip() for _ in range(2)] == [EXTERNAL] * 2
    assert server.heard_hex[-1][:4] == "0200"


def test_the_word_of_a_guess_is_not_taken(peer: "MakePeer", caplog: pytest.LogCaptureFixture) -> None:
    server = peer(announced(), ADDRESS, mapped())
    settings = Settings(port=server.port, timeouts=WORKS, announced_at=())
    backend = Pcp(None, settings, candidates=list, guesses=lambda: [HERE], own_address=lambda _: HERE)
    with pytest.raises(UnverifiedGateway, match="no default route leads there"):
        backend.external_ip()
    assert add(backend).external_ip is None
    assert caplog.messages == ["PCP 127.0.0.1 is used, although no default route names it"]


def test_a_guess_is_asked_only_without_a_default_route(peer: "MakePeer") -> None:
    server = peer(announced(), ADDRESS)
    settings = Settings(port=server.port, timeouts=Timeouts(0.01, 0.05), announced_at=())
    silent = IPv4Address("127.0.0.9")
    backend = Pcp(None, settings, candidates=lambda: [silent], guesses=lambda: [HERE], own_address=lambda _: HERE)
    with pytest.raises(NoGateway):
        backend.external_ip()
    assert server.heard == []


# refusals without a nonce, which another host may have made up


SHUT_FOR_A_DAY = refused(2, lifetime=86400)


def test_a_full_answer_counts_more_than_a_refusal_without_a_nonce(talk: "Talk") -> None:
    assert add(talk(f"{SHUT_FOR_A_DAY}; {mapped()}")).external_port == 30303


def test_a_version_error_does_not_count_more_than_a_full_answer(talk: "Talk") -> None:
    assert add(talk(f"{NATPMP_ONLY}; {mapped()}")).external_port == 30303


def test_a_refusal_without_a_nonce_does_not_shut_us_for_long(peer: "MakePeer", talk_to: TalkTo) -> None:
    server = peer(SHUT_FOR_A_DAY)
    with pytest.raises(NotAuthorized) as caught:
        add(talk_to(server))
    assert caught.value.retry_after == 30
    assert len(server.heard) == 1  # there was an answer: nothing is repeated


def test_double_nat_is_told_with_the_address_that_the_answer_has(talk: "Talk") -> None:
    body = "N 06 000000 765f 765f" + IPv6Address("::ffff:100.64.1.1").packed.hex()
    with pytest.raises(NoPublicAddress, match=r"100\.64\.1\.1 is not public.*double NAT") as caught:
        add(talk(refused(8, lifetime=30) + body))
    assert (caught.value.external_ip, caught.value.retry_after) == (IPv4Address("100.64.1.1"), 30)


def test_asking_for_the_address_opens_nothing(peer: "MakePeer", talk_to: TalkTo) -> None:
    server = peer(announced(), "ffff")
    with pytest.raises(Refused):
        talk_to(server).external_ip()
    assert server.nonces == []


def test_a_gateway_that_lost_its_state_may_have_another_address(talk: "Talk") -> None:
    backend = talk(mapped(epoch=5000), announced(0), "00 80 0000 00000000 cb007108")
    add(backend)
    assert backend.external_ip() == IPv4Address("203.0.113.8")


def test_a_server_that_knows_no_announce_is_alive_all_the_same(talk: "Talk") -> None:
    backend = talk(mapped(), announced(6, result=4))
    add(backend)
    assert backend.external_ip() == EXTERNAL


# finding the gateway

SILENT, NOISY, GOOD = (IPv4Address(f"127.0.0.{n}") for n in (12, 13, 14))


@pytest.fixture
def gateway(peer: "MakePeer") -> Peer:
    """A good gateway at 127.0.0.14, and at the same port of 127.0.0.12 silence, of 127.0.0.13 garbage."""
    gateway = peer(announced(), ADDRESS, mapped(), address=str(GOOD))
    peer("", address=str(SILENT), port=gateway.port)
    peer("ff", address=str(NOISY), port=gateway.port)
    return gateway


def test_all_candidates_are_asked_and_the_one_that_answers_is_used(gateway: Peer) -> None:
    backend = looking_for(SILENT, NOISY, GOOD, port=gateway.port)
    assert str(backend) == "PCP"
    assert backend.external_ip() == EXTERNAL
    assert str(backend) == f"PCP {GOOD}"


def test_mapping_first_finds_the_gateway_first(peer: "MakePeer") -> None:
    server = peer(announced(), mapped())
    assert add(looking_for(HERE, port=server.port)).external_port == 30303
    assert [request[1] for request in server.heard] == [0, 1]


def test_without_an_answer_every_asked_gateway_is_named(gateway: Peer, impatient: Timeouts) -> None:
    backend = looking_for(SILENT, NOISY, port=gateway.port, timeouts=impatient)
    with pytest.raises(NoGateway, match=str(SILENT)) as caught:
        backend.external_ip()
    assert str(NOISY) in str(caught.value)


def test_a_candidate_that_refuses_tells_why(peer: "MakePeer") -> None:
    with pytest.raises(Refused, match="double NAT"):
        looking_for(HERE, port=peer(announced(result=12)).port).external_ip()


@pytest.mark.parametrize("failure", ["", "ff"])
def test_a_found_gateway_that_makes_no_sense_is_looked_for_anew(
    failure: str, peer: "MakePeer", impatient: Timeouts
) -> None:
    backend = looking_for(HERE, port=peer(announced(), mapped(), failure).port, timeouts=impatient)
    add(backend)
    with pytest.raises(NATError):
        backend.external_ip()
    assert str(backend) == "PCP"


def test_a_given_gateway_is_kept_when_it_fails(peer: "MakePeer", impatient: Timeouts) -> None:
    backend = Pcp(HERE, Settings(port=peer("").port, timeouts=impatient))
    with pytest.raises(GatewayTimeout):
        backend.external_ip()
    assert str(backend) == "PCP 127.0.0.1"


def test_a_gateway_that_routes_no_longer_lead_to_is_asked_on_where_no_other_answers(peer: "MakePeer") -> None:
    server, candidates = peer(announced(), ADDRESS, announced(), ADDRESS), [HERE]
    settings = Settings(port=server.port, timeouts=Timeouts(0.02, 0.5), announced_at=())
    backend = Pcp(None, settings, candidates=lambda: candidates, own_address=lambda _: HERE)
    first = backend.external_ip()
    candidates[:] = [IPv4Address("127.0.0.19")]
    assert backend.external_ip() == first


def test_no_way_to_the_gateway_is_no_gateway(peer: "MakePeer") -> None:
    def no_route(peer: IPv4Address) -> IPv4Address:
        raise NoGateway(f"no route to {peer}")

    with pytest.raises(NoGateway, match="no route"):
        Pcp(HERE, Settings(port=peer().port), own_address=no_route).external_ip()


# against the simulated router, which keeps a table


@pytest.fixture
def router() -> Iterator[Router]:
    with Router(upnp=False, pmp_port=0, uptime=100.0) as router:
        yield router


@pytest.fixture
def backend(router: Router, patient: Timeouts) -> Pcp:
    return Pcp(HERE, Settings(port=router.pmp_port, timeouts=patient, announced_at=()))


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
