"""`portmap.check`: from words to verdicts, with simulated gateways and a responder on loopback."""

import os
from collections.abc import Callable
from contextlib import ExitStack, closing
from ipaddress import IPv4Address
from pathlib import Path

import pytest

import portmap
from portmap.backends import load as loading
from portmap.errors import SpecError
from portmap.model import Protocol
from portmap.reachability.echo import EchoClient
from portmap.reachability.verdict import Blame, Verdict
from portmap.storage.status import UP, PortStatus, SessionStatus
from portmap.storage.status_file import StatusFile, live_sessions
from portmap.testing import Quirks, Router, loopback_address

NEIGHBOURING = IPv4Address("127.0.0.9")


def test_check_asks_the_gateway_for_the_address_and_finds_the_mapping_in_its_table(
    service: int, responder: EchoClient
) -> None:
    address = loopback_address()
    with Router(address, upnp=True, pmp=False, pcp=False) as router:
        spec = f"upnp:{router.description_url}"
        portmap.load(spec).add_mapping(Protocol.TCP, 25678, service, "web", 600)
        (found,) = portmap.check([service], via=str(responder), nat=spec)
    assert (found.internal_port, found.external_port, str(found.external_ip)) == (service, 25678, "1.2.3.4")


def test_where_no_table_tells_where_the_port_leads_an_answer_is_not_said_to_be_this_hosts(
    service: int, responder: EchoClient
) -> None:
    with Router(loopback_address(), external_ip="192.168.77.5") as router:
        (found,) = portmap.check([service], via=str(responder), nat=f"pmp:{router.address}")
    assert found.verdict is Verdict.OPEN
    assert "is not proved, as the gateway does not tell where the port leads" in found.reason


def test_where_the_address_is_this_hosts_own_the_answer_is_its_own(service: int, responder: EchoClient) -> None:
    (found,) = portmap.check([service], via=str(responder), nat="extip:127.0.0.1")
    assert found.reason == "reached by a responder outside"


def test_check_tells_the_neighbour_that_the_gateway_forwards_the_port_to(service: int, responder: EchoClient) -> None:
    with Router(loopback_address(), upnp=True, pmp=False, pcp=False) as router:
        spec = f"upnp:{router.description_url}"
        portmap.load(spec).add_mapping(Protocol.TCP, 25680, service, "web", 600, client=NEIGHBOURING)
        (found,) = portmap.check([f"25680:{service}"], via=str(responder), nat=spec)
    assert (found.verdict, found.by) == (Verdict.CLOSED, Blame.ROUTER)
    assert f"to 127.0.0.9:{service}" in found.reason


def test_check_uses_what_a_running_session_of_this_host_holds(
    service: int, tmp_path: Path, eventually: Callable[[Callable[[], object]], None]
) -> None:
    with Router(loopback_address()) as router:
        mapping = f"25679:{service}"
        with portmap.open(f"pmp:{router.address}", [mapping], state=tmp_path, ipv6=False) as session:
            session.wait(10)
            eventually(lambda: any(it.healthy and it.external_ip for it in live_sessions(tmp_path)))
            (found,) = portmap.check([service], nat="none", state=tmp_path)
    assert (found.external_port, str(found.external_ip)) == (25679, "1.2.3.4")


def test_the_port_that_was_granted_to_a_mapping_that_follows_is_known_from_the_running_session(
    tmp_path: Path, eventually: Callable[[Callable[[], object]], None]
) -> None:
    with (
        Router(loopback_address(), quirks=Quirks(only_ports=frozenset({25711}))) as router,
        portmap.open(f"pmp:{router.address}", ["6881=follow"], state=tmp_path, ipv6=False) as session,
    ):
        session.wait(10)
        eventually(lambda: any(it.healthy and it.external_ip for it in live_sessions(tmp_path)))
        (found,) = portmap.check([25711], nat="none", state=tmp_path)
    assert (found.external_port, str(found.external_ip)) == (25711, "1.2.3.4")


def test_of_two_sessions_that_hold_the_port_that_of_the_chosen_interface_is_asked_about(
    service: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "require_interface", lambda _: None)
    rows = (PortStatus("TCP", service, state=UP, external_port=4001),)
    with ExitStack() as stack:
        for name, address in (("eth7", "127.0.0.7"), ("eth8", "127.0.0.8")):
            session = SessionStatus(os.getpid(), name, f"any on {name}", 0.0, 0.0, "", True, address, ports=rows)
            file = stack.enter_context(closing(StatusFile(tmp_path, session)))
            file.write()
        found = [
            str(portmap.check([service], nat=f"none on {name}", state=tmp_path)[0].external_ip)
            for name in ("eth7", "eth8")
        ]
    assert found == ["127.0.0.7", "127.0.0.8"]


def test_a_gateway_that_does_not_answer_is_a_step_of_the_verdict(service: int) -> None:
    (found,) = portmap.check([service], nat="none")
    assert found.verdict is Verdict.UNKNOWN
    assert any(step.startswith("gateway: ") for step in found.steps)


@pytest.mark.parametrize(
    ("ports", "via"),
    [
        ([], None),
        (["follow"], None),
        (["1-17"], None),
        (["80", "80"], None),
        (["port"], None),
        ([0], None),
        (["80"], "nonsense"),
        (["80"], "stun:"),
        (["80"], "stun:a b"),
        (["80"], "stun:a.example+b.example"),
        (["80"], "http://user:secret@[/"),
    ],
)
def test_words_without_sense_are_refused_before_anything_is_sent(ports: list[str | int], via: str | None) -> None:
    with pytest.raises(SpecError) as caught:
        portmap.check(ports, via=via, nat="none")
    assert "secret" not in str(caught.value)
