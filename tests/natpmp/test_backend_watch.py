"""The backend `pmp`: its watch, and the simulated router, which keeps a table."""

from collections.abc import Callable
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest

from portmap.errors import (
    Garbled,
    GatewayTimeout,
    NoGateway,
    NoPublicAddress,
    NotAuthorized,
    OutOfResources,
    Refused,
)
from portmap.model import Grant, Protocol
from portmap.testing import Heard, Quirks, Router
from portmap_natpmp import NatPmp, Timeouts

if TYPE_CHECKING:
    from tests.natpmp.conftest import Clock, MakePeer, Peer

from tests.natpmp.packets import ADDRESS, GOOD, GRANT, HERE, Candidates, Talk

# the watch; what is announced is in test_announce_backend.py


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
