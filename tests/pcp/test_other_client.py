"""Mappings to another host than this one: behind an inner gateway by its address, on our network by THIRD_PARTY."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

import pytest
from tests.pcp.conftest import ADDRESS, EXTERNAL, HERE, NATPMP_ONLY, Peer, announced, mapped, refused

from portmap import Nat
from portmap.errors import NotAuthorized, Refused
from portmap.model import Grant, Protocol
from portmap.testing.scripted import ScriptedBackend
from portmap.wire import Timeouts
from portmap_pcp import Pcp, Settings

if TYPE_CHECKING:
    from tests.pcp.conftest import MakePeer

TalkTo = Callable[[Peer], Pcp]
INNER, NEIGHBOUR = IPv4Address("192.168.0.5"), IPv4Address("192.168.1.50")
THIRD_PARTY = "01000010 00000000000000000000ffffc0a80132".replace(" ", "")  # RFC 6887 §13.1
PREFER_FAILURE = "02000000"


@pytest.fixture
def talk_to(patient: Timeouts) -> TalkTo:
    """A backend for that server; the neighbour is on our link."""

    def make(server: Peer) -> Pcp:
        settings = Settings(
            port=server.port, timeouts=patient, announced_at=(), is_on_link=lambda address: address == NEIGHBOUR
        )
        return Pcp(HERE, settings)

    return make


def add(backend: Pcp, client: IPv4Address, token: str = "", *, exact: bool = False) -> Grant:
    return backend.add_mapping(Protocol.TCP, 40404, 30303, 600, token, exact, client)


def sender_of(request: bytes) -> IPv6Address:
    return IPv6Address(request[8:24])


def test_through_an_inner_gateway_the_header_has_its_outer_address(peer: "MakePeer", talk_to: TalkTo) -> None:
    server = peer(mapped())
    add(talk_to(server), INNER)
    assert [sender_of(request) for request in server.heard] == [IPv6Address(f"::ffff:{INNER}")]
    assert len(server.heard[0]) == 60  # no option


def test_a_mismatch_says_which_address_was_meant(peer: "MakePeer", talk_to: TalkTo) -> None:
    with pytest.raises(Refused, match=r"asked to map to 192\.168\.0\.5, the inner gateway's outer address") as error:
        add(talk_to(peer(refused(12))), INNER)
    assert error.value.code == 12


def test_a_server_that_sees_us_elsewhere_states_its_address_all_the_same(peer: "MakePeer", talk_to: TalkTo) -> None:
    assert talk_to(peer(announced(result=12), ADDRESS)).external_ip() == EXTERNAL


def test_for_a_neighbour_the_option_names_it_and_the_header_us(peer: "MakePeer", talk_to: TalkTo) -> None:
    server = peer(mapped() + THIRD_PARTY)
    assert add(talk_to(server), NEIGHBOUR).external_port == 30303
    assert sender_of(server.heard[0]) == IPv6Address(f"::ffff:{HERE}")
    assert server.heard[0].hex().endswith(THIRD_PARTY)


def test_where_only_one_port_will_do_the_neighbour_is_named_as_well(peer: "MakePeer", talk_to: TalkTo) -> None:
    server = peer(refused(5), mapped() + THIRD_PARTY)
    add(talk_to(server), NEIGHBOUR, exact=True)
    assert server.heard[0].hex().endswith(THIRD_PARTY + PREFER_FAILURE)
    assert server.heard[1].hex().endswith(THIRD_PARTY)


@pytest.mark.parametrize(
    ("result", "kind", "words"),
    [(5, Refused, "lets hosts map for themselves only"), (2, NotAuthorized, "may let hosts map for themselves only")],
)
def test_a_server_that_maps_for_no_other_host_says_so(
    result: int, kind: type[Refused], words: str, peer: "MakePeer", talk_to: TalkTo
) -> None:
    with pytest.raises(kind, match=f"asked to map to {NEIGHBOUR}, and {words}: ask on that host"):
        add(talk_to(peer(refused(result))), NEIGHBOUR)


def test_a_refusal_for_this_host_is_told_as_before(peer: "MakePeer", talk_to: TalkTo) -> None:
    with pytest.raises(Refused, match="PCP") as error:
        add(talk_to(peer(refused(2))), HERE)
    assert "asked to map to" not in str(error.value)


@pytest.mark.parametrize("client", [INNER, NEIGHBOUR])
def test_each_host_has_a_nonce_of_its_own_and_is_deleted_with_it(
    client: IPv4Address, peer: "MakePeer", talk_to: TalkTo
) -> None:
    server = peer(mapped(), mapped(), mapped(lifetime=0))
    backend = talk_to(server)
    ours = backend.add_mapping(Protocol.TCP, 0, 30303, 600, "", exact=False, client=None)
    theirs = add(backend, client)
    backend.delete_mapping(Protocol.TCP, 30303, 30303, theirs.token, client)
    assert ours.token != theirs.token
    assert server.nonces == [ours.token, theirs.token, theirs.token]
    assert sender_of(server.heard[2]) == sender_of(server.heard[1])


def test_a_backend_for_a_server_that_speaks_natpmp_only_is_told_the_client(peer: "MakePeer", patient: Timeouts) -> None:
    settings = Settings(port=peer(NATPMP_ONLY).port, timeouts=patient, announced_at=())
    backend = Pcp(HERE, settings, fallback=lambda _: Nat(ScriptedBackend(), "scripted"))
    with pytest.raises(Refused, match="opens ports for this host only, not for 192"):
        add(backend, NEIGHBOUR)
