"""The backend `pmp`: its three questions, and answers that refuse or make no sense."""

from typing import TYPE_CHECKING

import pluggy
import pytest

from portmap.errors import (
    Garbled,
    GatewayTimeout,
    NoGateway,
    NoPublicAddress,
    NotAuthorized,
    OutOfResources,
    Refused,
    SpecError,
)
from portmap.hookspecs import PROJECT, BackendSpec
from portmap.model import Grant, Kind, Protocol
from portmap_natpmp import NatPmp, Timeouts

if TYPE_CHECKING:
    from tests.natpmp.conftest import MakePeer

from tests.natpmp.packets import ADDRESS, EXTERNAL, GRANT, HERE, Talk, TalkTo


def test_it_is_a_loop_backend() -> None:
    assert NatPmp.kind is Kind.LOOP


def test_pluggy_finds_every_hook_in_order() -> None:
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(BackendSpec)
    backend = NatPmp()
    manager.register(backend)
    manager.check_pending()
    names = {caller.name for caller in manager.get_hookcallers(backend) or ()}
    assert names == {"external_ip", "add_mapping", "delete_mapping", "watch", "hint", "take_hint"}


# the three questions


def test_the_external_address_is_what_the_gateway_says(talk: Talk) -> None:
    assert talk(ADDRESS).external_ip() == EXTERNAL


def test_a_mapping_is_granted(talk: Talk) -> None:
    assert talk(GRANT).add_mapping(Protocol.TCP, 30303, 30303, 600, client=None) == Grant(30303, 600)


def test_another_port_and_lifetime_than_asked_for_are_fine(talk: Talk) -> None:
    grant = talk("00 82 0000 00000005 765f 9dd4 0000012c").add_mapping(Protocol.TCP, 30303, 30303, 600, client=None)
    assert grant == Grant(40404, 300)


def test_where_the_gateway_may_choose_the_internal_port_is_suggested(peer: "MakePeer", talk_to: TalkTo) -> None:
    gateway = peer(GRANT)
    talk_to(gateway).add_mapping(Protocol.TCP, 0, 30303, 600, client=None)
    assert gateway.heard_hex == ["00020000765f765f00000258"]


def test_the_lifetime_is_sent_as_given(peer: "MakePeer", talk_to: TalkTo) -> None:
    gateway = peer(GRANT)
    talk_to(gateway).add_mapping(Protocol.TCP, 0, 30303, 0xFFFFFFFF, client=None)
    assert gateway.heard_hex == ["00020000765f765fffffffff"]


def test_one_packet_maps_at_a_given_gateway(peer: "MakePeer", talk_to: TalkTo) -> None:
    gateway = peer(GRANT)
    talk_to(gateway).add_mapping(Protocol.TCP, 40404, 30303, 600, client=None)
    assert gateway.heard_hex == ["00020000765f9dd400000258"]


def test_a_deletion_names_the_internal_port_only(peer: "MakePeer", talk_to: TalkTo) -> None:
    gateway = peer("00 81 0000 00000005 765f 0000 00000000")
    talk_to(gateway).delete_mapping(Protocol.UDP, 30303, 30303, client=None)
    assert gateway.heard_hex == ["00010000765f000000000000"]


def test_a_deletion_answered_with_a_lease_is_garbled(talk: Talk) -> None:
    with pytest.raises(Garbled, match="open for 600 s"):
        talk(GRANT).delete_mapping(Protocol.TCP, 30303, 30303, client=None)


# what cannot be asked


@pytest.mark.parametrize(
    ("external", "internal", "lifetime"), [(0, -1, 600), (65536, 1, 600), (0, 70000, 600), (1, 1, 0)]
)
def test_an_impossible_mapping_is_the_callers_mistake(
    external: int, internal: int, lifetime: int, peer: "MakePeer", talk_to: TalkTo
) -> None:
    gateway = peer(GRANT)
    with pytest.raises(SpecError):
        talk_to(gateway).add_mapping(Protocol.TCP, external, internal, lifetime, client=None)
    assert gateway.heard_hex == []


def test_internal_port_0_which_means_all_is_never_sent(peer: "MakePeer", talk_to: TalkTo) -> None:
    gateway = peer("00 82 0000 00000005 0000 0000 00000000")
    with pytest.raises(Refused, match="internal port 0 means every TCP mapping of this host, other programs' too"):
        talk_to(gateway).delete_mapping(Protocol.TCP, 0, 30303, client=None)
    assert gateway.heard_hex == []


# answers that say no, and answers that make no sense


@pytest.mark.parametrize(
    ("result", "kind", "advice"),
    [
        (1, Refused, "PCP-only"),
        (2, NotAuthorized, "switch NAT-PMP on"),
        (3, NoPublicAddress, "double NAT"),
        (4, OutOfResources, "table is full, or the port is taken or forbidden"),
        (5, Refused, "does not know this operation"),
        (77, Refused, "RFC 6886 does not know"),
    ],
)
def test_a_result_code_becomes_the_error_that_it_means(
    result: int, kind: type[Refused], advice: str, talk: Talk
) -> None:
    with pytest.raises(Refused, match=advice) as caught:
        talk(f"00 82 {result:04x} 00000005").add_mapping(Protocol.TCP, 0, 30303, 600, client=None)
    assert (type(caught.value), caught.value.code) == (kind, result)
    assert caught.value.text
    assert "NAT-PMP 127.0.0.1 refused" in str(caught.value)


def test_a_refused_question_for_the_address_is_refused(talk: Talk) -> None:
    with pytest.raises(NoPublicAddress, match=r"no public address.*double NAT.*uplink is down"):
        talk("00 80 0003 00000005 00000000").external_ip()


@pytest.mark.parametrize("result", [3, 4])
def test_a_deletion_refused_because_nothing_is_there_is_a_success(talk: Talk, result: int) -> None:
    talk(f"00 82 000{result} 00000005 765f 0000 00000000").delete_mapping(Protocol.TCP, 30303, 30303, client=None)


def test_a_refused_deletion_is_refused(talk: Talk) -> None:
    with pytest.raises(NotAuthorized):
        talk("00 82 0002 00000005 765f 0000 00000000").delete_mapping(Protocol.TCP, 30303, 30303, client=None)


def test_a_port_that_is_refused_as_taken_leaves_the_choice_to_the_gateway(peer: "MakePeer", talk_to: TalkTo) -> None:
    gateway = peer("00 82 0004 00000005 765f 765f 00000000", "00 82 0000 00000005 765f 9dd4 00000258")
    assert talk_to(gateway).add_mapping(Protocol.TCP, 30303, 30303, 600, client=None) == Grant(40404, 600)
    assert gateway.heard_hex == ["00020000765f765f00000258", "00020000765f000000000258"]


@pytest.mark.parametrize("result", [2, 3, 4])
def test_where_no_port_at_all_is_granted_the_first_refusal_counts(
    result: int, peer: "MakePeer", talk_to: TalkTo
) -> None:
    gateway = peer("00 82 0004 00000005", f"00 82 {result:04x} 00000005")
    with pytest.raises(OutOfResources, match="result 4"):
        talk_to(gateway).add_mapping(Protocol.TCP, 30303, 30303, 600, client=None)


GONE = "00 82 0003 00000005 765f 0000 00000000"
DELETED = "00 82 0000 00000005 765f 0000 00000000"


def test_a_gateway_that_deletes_by_the_external_port_is_told_that(peer: "MakePeer", talk_to: TalkTo) -> None:
    gateway = peer(GONE, DELETED)
    talk_to(gateway).delete_mapping(Protocol.TCP, 30303, 40404, client=None)
    assert gateway.heard_hex == ["00020000765f000000000000", "00020000765f9dd400000000"]


def test_a_pcp_gateway_is_recognised(talk: Talk) -> None:
    with pytest.raises(Refused, match="PCP-only"):
        talk("02 80 0001 00000000 00000e10" + "00" * 12).external_ip()


def test_the_unspecified_address_is_a_refusal(talk: Talk) -> None:
    with pytest.raises(Refused, match="no external address yet") as caught:
        talk("00 80 0000 00000005 00000000").external_ip()
    assert caught.value.code == 3


@pytest.mark.parametrize("answer", ["00 82 0000 00000005 765f 0000 00000258", "00 82 0000 00000005 765f 765f 00000000"])
def test_port_0_or_no_lifetime_is_no_mapping(answer: str, talk: Talk) -> None:
    with pytest.raises(Garbled, match="no mapping"):
        talk(answer).add_mapping(Protocol.TCP, 0, 30303, 600, client=None)


def test_silence_is_a_timeout(peer: "MakePeer", impatient: Timeouts) -> None:
    with pytest.raises(GatewayTimeout):
        NatPmp(HERE, peer("").port, timeouts=impatient).external_ip()


def test_a_given_gateway_is_kept_when_it_fails(closed_port: int, impatient: Timeouts) -> None:
    backend = NatPmp(HERE, closed_port, timeouts=impatient)
    with pytest.raises(NoGateway):
        backend.external_ip()
    assert str(backend) == "NAT-PMP 127.0.0.1"
