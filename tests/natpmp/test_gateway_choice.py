"""The backend `pmp`: which gateway it asks, and what it makes of a changed address."""

from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest

from portmap.errors import (
    Garbled,
    NATError,
    NoGateway,
    NotAuthorized,
    OutOfResources,
    Refused,
    UnverifiedGateway,
)
from portmap.model import Grant, Protocol
from portmap_natpmp import NatPmp, Timeouts

if TYPE_CHECKING:
    from tests.natpmp.conftest import MakePeer, Peer

from tests.natpmp.packets import ADDRESS, EXTERNAL, GOOD, GRANT, HERE, NOISY, SILENT, Candidates, Talk, TalkTo

# finding the gateway


def test_all_candidates_are_asked_and_the_one_that_answers_is_used(gateway: "Peer", patient: Timeouts) -> None:
    backend = NatPmp(port=gateway.port, timeouts=patient, candidates=Candidates([SILENT, NOISY, GOOD]))
    assert str(backend) == "NAT-PMP"
    assert backend.external_ip() == EXTERNAL
    assert str(backend) == "NAT-PMP 127.0.0.4"
    assert gateway.heard_hex == ["0000"]


def test_a_gateway_once_found_is_asked_alone(gateway: "Peer", patient: Timeouts) -> None:
    candidates = Candidates([GOOD])
    backend = NatPmp(port=gateway.port, timeouts=patient, candidates=candidates)
    backend.external_ip()
    candidates.clear()
    backend.external_ip()
    assert gateway.heard_hex == ["0000", "0000"]


def test_mapping_first_finds_the_gateway_first(peer: "MakePeer", patient: Timeouts) -> None:
    gateway = peer(ADDRESS, GRANT)
    backend = NatPmp(port=gateway.port, timeouts=patient, candidates=Candidates([HERE]))
    assert backend.add_mapping(Protocol.TCP, 0, 30303, 600, client=None) == Grant(30303, 600)
    assert [request[:4] for request in gateway.heard_hex] == ["0000", "0002"]


def test_without_an_answer_every_asked_gateway_is_named(gateway: "Peer", impatient: Timeouts) -> None:
    backend = NatPmp(port=gateway.port, timeouts=impatient, candidates=Candidates([SILENT, NOISY]))
    with pytest.raises(NoGateway) as caught:
        backend.external_ip()
    assert str(SILENT) in str(caught.value)
    assert str(NOISY) in str(caught.value)


def test_no_failure_is_remembered(gateway: "Peer", patient: Timeouts) -> None:
    candidates = Candidates()
    backend = NatPmp(port=gateway.port, timeouts=patient, candidates=candidates)
    with pytest.raises(NoGateway, match="no gateway to ask"):
        backend.external_ip()
    candidates.append(GOOD)
    assert backend.external_ip() == EXTERNAL


def test_a_found_gateway_that_is_gone_is_looked_for_anew(gateway: "Peer", peer: "MakePeer", patient: Timeouts) -> None:
    mortal, candidates = peer(ADDRESS, port=gateway.port), Candidates([HERE])
    backend = NatPmp(port=gateway.port, timeouts=patient, candidates=candidates)
    backend.external_ip()
    mortal.close()
    candidates.append(GOOD)
    with pytest.raises(NoGateway):
        backend.external_ip()
    assert (backend.external_ip(), str(backend)) == (EXTERNAL, "NAT-PMP 127.0.0.4")


@pytest.mark.parametrize("failure", ["", "ff"])
def test_a_found_gateway_that_makes_no_sense_is_looked_for_anew(
    failure: str, peer: "MakePeer", impatient: Timeouts
) -> None:
    backend = NatPmp(port=peer(ADDRESS, failure).port, timeouts=impatient, candidates=Candidates([HERE]))
    backend.external_ip()
    with pytest.raises(NATError):
        backend.external_ip()
    assert str(backend) == "NAT-PMP"


def test_a_found_gateway_that_refuses_is_kept(peer: "MakePeer", patient: Timeouts) -> None:
    gateway = peer(ADDRESS, "00 82 0004 00000005")
    backend = NatPmp(port=gateway.port, timeouts=patient, candidates=Candidates([HERE]))
    with pytest.raises(OutOfResources):
        backend.add_mapping(Protocol.TCP, 0, 30303, 600, client=None)
    assert str(backend) == "NAT-PMP 127.0.0.1"


def test_a_candidate_that_refuses_tells_why(peer: "MakePeer", patient: Timeouts) -> None:
    gateway = peer("00 80 0002 00000005")
    with pytest.raises(NotAuthorized):
        NatPmp(port=gateway.port, timeouts=patient, candidates=Candidates([HERE])).external_ip()


def test_a_candidate_without_an_address_is_not_chosen(peer: "MakePeer", patient: Timeouts) -> None:
    gateway = peer("00 80 0000 00000005 00000000")
    backend = NatPmp(port=gateway.port, timeouts=patient, candidates=Candidates([HERE]))
    with pytest.raises(Refused, match="no external address yet"):
        backend.external_ip()
    assert str(backend) == "NAT-PMP"


# gateways that neither the user nor a route names


def test_a_guess_is_asked_only_without_a_default_route(gateway: "Peer", patient: Timeouts) -> None:
    candidates, guessed = Candidates([HERE]), Candidates([GOOD])
    backend = NatPmp(port=gateway.port, timeouts=patient, candidates=candidates, guesses=guessed, announced_at=())
    with pytest.raises(NoGateway):
        backend.external_ip()
    assert gateway.heard_hex == []


def test_the_word_of_a_guess_is_not_taken_and_it_is_said_that_it_is_used(
    gateway: "Peer", patient: Timeouts, caplog: pytest.LogCaptureFixture
) -> None:
    backend = NatPmp(port=gateway.port, timeouts=patient, candidates=list, guesses=lambda: [GOOD], announced_at=())
    for _ in range(2):
        with pytest.raises(UnverifiedGateway, match=r"no default route leads there.*--nat pmp:127\.0\.0\.4"):
            backend.external_ip()
    assert str(backend) == "NAT-PMP 127.0.0.4"
    assert caplog.messages == ["NAT-PMP 127.0.0.4 is used, although no default route names it"]


def test_a_faster_neighbour_does_not_answer_for_the_default_gateway(peer: "MakePeer", patient: Timeouts) -> None:
    gateway = peer("", ADDRESS, address="127.0.0.4")  # answers the second packet
    peer("00 80 0000 00000005 08080808", address="127.0.0.5", port=gateway.port)
    candidates = Candidates([GOOD, IPv4Address("127.0.0.5")])
    backend = NatPmp(port=gateway.port, timeouts=patient, candidates=candidates, announced_at=())
    assert backend.external_ip() == EXTERNAL


# a changed address


OTHER_ADDRESS = "00 80 0000 00000006 08080808"


def test_a_changed_address_is_asked_for_twice_by_two_ports(peer: "MakePeer", talk_to: TalkTo) -> None:
    gateway = peer(ADDRESS, OTHER_ADDRESS)
    backend = talk_to(gateway)
    assert [str(backend.external_ip()) for _ in range(3)] == ["203.0.113.7", "8.8.8.8", "8.8.8.8"]
    assert gateway.heard_hex == ["0000"] * 4
    assert len(set(gateway.ports[1:3])) == 2


def test_an_address_that_was_sprayed_at_one_port_is_not_believed(talk: Talk) -> None:
    backend = talk(ADDRESS, OTHER_ADDRESS, ADDRESS)
    assert [str(backend.external_ip()) for _ in range(3)] == ["203.0.113.7"] * 3


def test_two_new_addresses_are_one_too_many(talk: Talk) -> None:
    backend = talk(ADDRESS, OTHER_ADDRESS, "00 80 0000 00000006 09090909")
    backend.external_ip()
    with pytest.raises(Garbled, match=r"stated 8\.8\.8\.8, then 9\.9\.9\.9"):
        backend.external_ip()
