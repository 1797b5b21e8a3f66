"""The backend `pcp`: which server it asks, and where the external address comes from."""

from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

import pytest
from tests.pcp.conftest import ADDRESS, EXTERNAL, HERE, Peer, announced, mapped

from portmap.errors import (
    GatewayTimeout,
    NATError,
    NoGateway,
    Refused,
    UnverifiedGateway,
)
from portmap.wire import Timeouts
from portmap_pcp import Pcp, Settings

if TYPE_CHECKING:
    from tests.pcp.conftest import MakePeer, Talk

from tests.pcp.requests_and_answers import TalkTo, add

WORKS = Timeouts(first_wait=0.1, deadline=5.0)


def looking_for(*candidates: IPv4Address, port: int, timeouts: Timeouts = WORKS) -> Pcp:
    settings = Settings(port=port, timeouts=timeouts, announced_at=())
    return Pcp(None, settings, candidates=lambda: list(candidates), own_address=lambda _: HERE)


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


def test_two_lost_packets_do_not_keep_the_address_from_being_known(talk: "Talk") -> None:
    assert talk(announced(), "", "", ADDRESS).external_ip() == EXTERNAL


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
    backend = talk(mapped(), announced(), ADDRESS, moved, announced(), moved, moved)
    add(backend)
    assert [str(backend.external_ip()) for _ in range(2)] == ["203.0.113.7", "8.8.8.8"]


def lengths(server: Peer) -> list[int]:
    """24 bytes are an ANNOUNCE, 2 the address question of NAT-PMP."""
    return [len(request) for request in server.heard]


def test_a_check_of_a_server_that_states_the_same_address_and_goes_on_is_one_packet(
    peer: "MakePeer", talk_to: TalkTo
) -> None:
    server = peer(announced(), ADDRESS)
    backend = talk_to(server)
    assert [backend.external_ip() for _ in range(3)] == [EXTERNAL] * 3
    assert lengths(server) == [24, 2, 2, 2]


@pytest.mark.parametrize(
    "word", ["00 80 0000 00000001 cb007107", "00 80 0003 00001388 00000000", "02 80 0001 00001388"]
)
def test_where_the_epoch_or_the_address_is_another_the_server_is_asked_by_pcp(
    word: str, peer: "MakePeer", talk_to: TalkTo
) -> None:
    server = peer(announced(5000), "00 80 0000 00001388 cb007107", word, announced(5000), ADDRESS)
    backend = talk_to(server)
    assert [backend.external_ip() for _ in range(2)] == [EXTERNAL] * 2
    assert [length for length in lengths(server) if length == 24] == [24, 24]


def test_a_restart_that_only_the_address_question_shows_is_told(talk: "Talk") -> None:
    old, young = "00 80 0000 00001388 cb007107", "00 80 0000 00000000 cb007107"
    backend = talk(mapped(epoch=5000), announced(5000), old, young, announced(0), young)
    told: list[str] = []
    close = backend.watch(told.append)
    add(backend)
    for _ in range(2):
        backend.external_ip()
    close()
    assert told == ["gateway restarted: in 0 s its clock went from 5000 s to 0 s"]


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
    settings = Settings(port=server.port, timeouts=Timeouts(0.2, 5.0), announced_at=())
    backend = Pcp(None, settings, candidates=lambda: candidates, own_address=lambda _: HERE)
    first = backend.external_ip()
    candidates[:] = [IPv4Address("127.0.0.19")]
    assert backend.external_ip() == first


def test_no_way_to_the_gateway_is_no_gateway(peer: "MakePeer") -> None:
    def no_route(peer: IPv4Address) -> IPv4Address:
        raise NoGateway(f"no route to {peer}")

    with pytest.raises(NoGateway, match="no route"):
        Pcp(HERE, Settings(port=peer().port), own_address=no_route).external_ip()
