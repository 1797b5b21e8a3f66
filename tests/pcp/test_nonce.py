"""The backend `pcp`: the nonce of each mapping (RFC 6887 §11.2), and refusals without one."""

from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

import pytest
from tests.pcp.conftest import EXTERNAL, HERE, NATPMP_ONLY, announced, mapped, refused

from portmap.errors import (
    GatewayTimeout,
    NoPublicAddress,
    NotAuthorized,
    Refused,
)
from portmap.model import Protocol
from portmap.wire import Timeouts
from portmap_pcp import Pcp, Settings

if TYPE_CHECKING:
    from tests.pcp.conftest import MakePeer, Talk

from tests.pcp.requests_and_answers import NONCE, TCP, TalkTo, add

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
