from collections.abc import Callable, Iterator
from contextlib import ExitStack
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pluggy
import pytest

from portmap.errors import (
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
from portmap.testing import Heard, Quirks, Router
from portmap_natpmp import NatPmp, Timeouts

if TYPE_CHECKING:
    from tests.natpmp.conftest import Clock, MakePeer, Peer

HERE = IPv4Address("127.0.0.1")
ADDRESS = "00 80 0000 00000005 cb007107"  # epoch 5 s, 203.0.113.7
GRANT = "00 82 0000 00000005 765f 765f 00000258"  # epoch 5 s, TCP 30303 -> 30303, 600 s
EXTERNAL = IPv4Address("203.0.113.7")


@pytest.fixture
def talk_to(patient: Timeouts) -> Callable[["Peer"], NatPmp]:
    return lambda gateway: NatPmp(HERE, gateway.port, timeouts=patient, announced_at=())


@pytest.fixture
def talk(peer: "MakePeer", talk_to: Callable[["Peer"], NatPmp]) -> Callable[..., NatPmp]:
    """A backend and the script of its gateway."""
    return lambda *script: talk_to(peer(*script))


Talk = Callable[..., NatPmp]
TalkTo = Callable[["Peer"], NatPmp]


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


# finding the gateway


class Candidates(list[IPv4Address]):
    """The routing table: it may change between two calls."""

    def __call__(self) -> list[IPv4Address]:
        return list(self)


@pytest.fixture
def gateway(peer: "MakePeer") -> "Peer":
    """A good gateway at 127.0.0.4, and at the same port of 127.0.0.2 silence, of 127.0.0.3 garbage."""
    gateway = peer(ADDRESS, address="127.0.0.4")
    peer("", address="127.0.0.2", port=gateway.port)
    peer("ff", address="127.0.0.3", port=gateway.port)
    return gateway


SILENT, NOISY, GOOD = (IPv4Address(f"127.0.0.{n}") for n in (2, 3, 4))


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


# the watch; what is announced is in test_announce_backend.py


@pytest.fixture
def watch() -> Iterator[Callable[[NatPmp], list[str]]]:
    """`watch(backend)` gives the list that its alerts will be in."""
    with ExitStack() as stack:

        def watch(backend: NatPmp) -> list[str]:
            alerts: list[str] = []
            stack.callback(backend.watch(alerts.append))
            return alerts

        yield watch


Watch = Callable[[NatPmp], list[str]]


def test_a_restarted_gateway_raises_an_alert(talk: Talk, watch: Watch) -> None:
    backend = talk("00 80 0000 00001388 cb007107", ADDRESS)
    alerts = watch(backend)
    backend.external_ip()
    backend.external_ip()
    assert alerts == ["gateway restarted: its clock went from 5000 s to 5 s"]


def test_a_gateway_too_young_for_the_time_that_passed_raises_an_alert(
    peer: "MakePeer", patient: Timeouts, watch: Watch
) -> None:
    now = [100.0]
    gateway = peer(ADDRESS, "00 80 0000 00000064 cb007107")  # 5 s, then 100 s
    backend = NatPmp(HERE, gateway.port, timeouts=patient, clock=lambda: now[0], announced_at=())
    alerts = watch(backend)
    backend.external_ip()
    now[0] += 800.0
    backend.external_ip()
    assert alerts == ["gateway restarted: its clock went from 805 s to 100 s"]


def test_a_refusal_tells_of_the_restart_too(talk: Talk, watch: Watch) -> None:
    backend = talk("00 80 0000 00001388 cb007107", "00 80 0003 00000000")
    alerts = watch(backend)
    backend.external_ip()
    with pytest.raises(Refused):
        backend.external_ip()
    assert len(alerts) == 1


def test_a_refused_mapping_tells_of_the_restart_if_the_address_question_confirms_it(talk: Talk, watch: Watch) -> None:
    backend = talk("00 80 0000 00001388 cb007107", "00 82 0002 00000000", ADDRESS)
    alerts = watch(backend)
    backend.external_ip()
    with pytest.raises(NotAuthorized):
        backend.add_mapping(Protocol.TCP, 0, 30303, 600, client=None)
    assert alerts == ["gateway restarted: its clock went from 5000 s to 5 s"]


@pytest.mark.parametrize(
    ("refusal", "confirmed"),
    [
        ("00 82 0002 765f 765f 00000258", False),  # NATPMP-Suite: 12 bytes, no epoch
        ("00 82 0002 00000000 765f 765f 00000258", True),  # 16 bytes, and nothing where the epoch belongs
        ("00 82 0002 00000000", True),
    ],
)
def test_a_refusal_that_has_no_epoch_is_no_restart(refusal: str, confirmed: bool, talk: Talk, watch: Watch) -> None:
    steady = "00 80 0000 00001388 cb007107"
    backend = talk(steady, *[refusal, *[steady] * (1 + confirmed)] * 5)
    alerts = watch(backend)
    backend.external_ip()
    for _ in range(5):
        with pytest.raises(NotAuthorized):
            backend.add_mapping(Protocol.TCP, 0, 30303, 600, client=None)
        backend.external_ip()
    assert alerts == []


def test_a_steady_gateway_raises_none(talk: Talk, watch: Watch) -> None:
    backend = talk(ADDRESS, GRANT, "00 80 0000 00000006 cb007107")
    alerts = watch(backend)
    backend.external_ip()
    backend.add_mapping(Protocol.TCP, 0, 30303, 600, client=None)
    backend.external_ip()
    assert alerts == []


def test_a_restart_is_noticed_across_a_rediscovery(peer: "MakePeer", patient: Timeouts, watch: Watch) -> None:
    gateway = peer("00 80 0000 00001388 cb007107")
    backend = NatPmp(port=gateway.port, timeouts=patient, candidates=Candidates([HERE]), announced_at=())
    alerts = watch(backend)
    backend.external_ip()
    gateway.close()
    with pytest.raises(NoGateway):
        backend.external_ip()
    peer(ADDRESS, port=gateway.port)
    backend.external_ip()
    assert alerts == ["gateway restarted: its clock went from 5000 s to 5 s"]


def test_another_gateway_knows_nothing_of_us_and_raises_an_alert(
    gateway: "Peer", peer: "MakePeer", patient: Timeouts, watch: Watch
) -> None:
    mortal, candidates = peer(ADDRESS, port=gateway.port), Candidates([HERE])
    backend = NatPmp(port=gateway.port, timeouts=patient, candidates=candidates, announced_at=())
    alerts = watch(backend)
    backend.external_ip()
    mortal.close()
    candidates[:] = [GOOD]
    backend.external_ip()
    assert alerts == ["gateway changed: 127.0.0.4 answers in place of 127.0.0.1"]


def test_a_gateway_that_routes_no_longer_lead_to_is_asked_on_where_no_other_answers(
    gateway: "Peer", patient: Timeouts
) -> None:
    candidates = Candidates([GOOD])
    backend = NatPmp(port=gateway.port, timeouts=patient, candidates=candidates, announced_at=())
    first = backend.external_ip()
    candidates[:] = [IPv4Address("127.0.0.9")]
    assert backend.external_ip() == first


def test_nothing_is_said_after_the_watch_has_ended(talk: Talk) -> None:
    backend = talk("00 80 0000 00001388 cb007107", ADDRESS)
    alerts: list[str] = []
    close = backend.watch(alerts.append)
    backend.external_ip()
    close()
    close()
    backend.external_ip()
    assert alerts == []


def test_the_end_of_an_old_watch_leaves_the_new_one_alone(talk: Talk, watch: Watch) -> None:
    backend = talk("00 80 0000 00001388 cb007107", ADDRESS)
    close_old = backend.watch(lambda reason: None)
    alerts = watch(backend)
    close_old()
    backend.external_ip()
    backend.external_ip()
    assert len(alerts) == 1


# against the simulated router, which keeps a table


@pytest.fixture
def router() -> Iterator[Router]:
    with Router(upnp=False, pmp_port=0) as router:
        yield router


@pytest.fixture
def backend(router: Router, patient: Timeouts) -> NatPmp:
    return NatPmp(HERE, router.pmp_port, timeouts=patient)


def test_the_routers_address_is_learnt(router: Router, backend: NatPmp) -> None:
    router.external_ip = "203.0.113.9"
    assert backend.external_ip() == IPv4Address("203.0.113.9")


@pytest.mark.parametrize("protocol", Protocol)
def test_a_mapping_is_made_renewed_and_removed(protocol: Protocol, router: Router, backend: NatPmp) -> None:
    port = backend.add_mapping(protocol, 0, 30303, 600, client=None).external_port
    assert backend.add_mapping(protocol, port, 30303, 600, client=None) == Grant(port, 600)
    assert [(entry.protocol, entry.external_port) for entry in router.entries] == [(protocol, port)]
    backend.delete_mapping(protocol, 30303, port, client=None)
    assert router.entries == ()
    assert router.heard == Heard(map=2, unmap=1)


def test_a_deletion_leaves_the_other_protocol_alone(router: Router, backend: NatPmp) -> None:
    backend.add_mapping(Protocol.TCP, 0, 30303, 600, client=None)
    backend.add_mapping(Protocol.UDP, 0, 30303, 600, client=None)
    backend.delete_mapping(Protocol.TCP, 30303, 30303, client=None)
    assert [entry.protocol for entry in router.entries] == [Protocol.UDP]


def test_deleting_what_is_not_there_is_a_success(router: Router, backend: NatPmp) -> None:
    backend.delete_mapping(Protocol.TCP, 30303, 30303, client=None)
    assert router.heard == Heard(unmap=1)


def test_a_lossy_line_costs_packets_not_the_mapping(router: Router, backend: NatPmp) -> None:
    router.quirks = Quirks(lost_first=2)
    assert backend.add_mapping(Protocol.TCP, 0, 30303, 600, client=None).lifetime == 600
    assert router.heard == Heard(map=1)


def test_a_capped_lifetime_is_reported_as_granted(router: Router, backend: NatPmp) -> None:
    router.quirks = Quirks(caps_lifetime=120)
    assert backend.add_mapping(Protocol.TCP, 0, 30303, 600, client=None).lifetime == 120


def test_a_taken_port_gives_another(router: Router, backend: NatPmp) -> None:
    router.quirks = Quirks(other_port=True)
    assert backend.add_mapping(Protocol.TCP, 30303, 30303, 600, client=None).external_port != 30303


def test_a_router_without_uplink_refuses(router: Router, backend: NatPmp) -> None:
    router.quirks = Quirks(no_wan=True)
    with pytest.raises(NoPublicAddress, match="its uplink is down"):
        backend.external_ip()


@pytest.mark.parametrize("quirks", [Quirks(silent=True), Quirks(wrong_sender=True)])
def test_a_router_that_is_not_heard_is_a_timeout(quirks: Quirks, router: Router, impatient: Timeouts) -> None:
    router.quirks = quirks
    with pytest.raises(GatewayTimeout):
        NatPmp(HERE, router.pmp_port, timeouts=impatient).add_mapping(Protocol.TCP, 0, 30303, 600, client=None)


@pytest.mark.parametrize("quirks", [Quirks(garbage=True), Quirks(truncated=True)])
def test_a_router_that_makes_no_sense_is_garbled(quirks: Quirks, router: Router, ticking: "Clock") -> None:
    router.quirks = quirks
    backend = NatPmp(HERE, router.pmp_port, timeouts=Timeouts(1.0, 2.0), clock=ticking)
    with pytest.raises(Garbled):
        backend.add_mapping(Protocol.TCP, 0, 30303, 600, client=None)


def test_a_full_table_is_out_of_resources(router: Router, backend: NatPmp) -> None:
    router.quirks = Quirks(pmp_result=4)
    with pytest.raises(OutOfResources):
        backend.add_mapping(Protocol.TCP, 0, 30303, 600, client=None)
