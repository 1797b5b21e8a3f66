"""The doctor against simulated routers: what is found, the trial, and the time that it takes."""

import os
from ipaddress import IPv4Address
from pathlib import Path
from threading import Event

import pytest
from tests.doctor.examined import GAME, PORT, PROBES, code, look, run, specs
from tests.stopwatch import Stopwatch

import portmap
from portmap.cli.commands import doctor
from portmap.doctor.diagnose import diagnose
from portmap.doctor.examine import examine
from portmap.doctor.findings import PortHolder
from portmap.doctor.probes.backends import ProbeTarget, probe_targets
from portmap.doctor.rules.gateway import port_text
from portmap.errors import GatewayTimeout, SpecError
from portmap.model import Key, Protocol
from portmap.storage.journal import Journal, JournalEntry
from portmap.storage.journal_reader import SessionJournal
from portmap.syntax.mappings import parse_mapping
from portmap.testing import Quirks, Router

pytestmark = pytest.mark.usefixtures("no_journals")

# What is found


def test_a_router_without_a_fault_is_fine(router: Router) -> None:
    findings = look(specs(router), GAME)
    assert diagnose(findings).code == "ok"
    assert [answer.protocol for answer in findings.answers] == ["NAT-PMP", "UPnP"]
    assert {answer.address for answer in findings.good} == {IPv4Address("8.8.4.4")}


@pytest.mark.parametrize(
    ("quirks", "verdict"),
    [
        (Quirks(cgnat_wan=True), "cgnat"),
        (Quirks(private_wan=True), "double-nat"),
        (Quirks(no_wan=True), "no-address"),
        (Quirks(zero_wan=True), "no-address"),
        (Quirks(garbage=True), "router-fault"),
    ],
)
def test_each_kind_of_router_has_its_verdict(router: Router, quirks: Quirks, verdict: str) -> None:
    router.quirks = quirks
    assert code(specs(router), GAME) == verdict


def test_a_upnp_that_is_switched_off_and_says_501_is_off(router: Router) -> None:
    router.quirks = Quirks(upnp_off=True)
    assert code(f"upnp:{router.description_url}") == "upnp-disabled"
    assert code(specs(router)) == "ok"


@pytest.mark.parametrize(
    "spec", ["extip:1.2.3.4", "if:lo", "stun:127.0.0.1:1", "none", "punch:127.0.0.1:9+127.0.0.2:9"]
)
def test_what_asks_no_gateway_is_not_examined(spec: str) -> None:
    with pytest.raises(SpecError, match=r"asks no gateway for ports, so there is none to examine: .* portmap check"):
        probe_targets(spec)


@pytest.mark.parametrize("mapping", ["follow/tcp", "6881=follow/udp", "443:8443/tcp"])
def test_the_advice_names_the_mapping_as_it_is_typed(mapping: str) -> None:
    assert port_text(parse_mapping(mapping)[0]) == mapping


def test_a_protocol_without_an_answer_is_off(router: Router) -> None:
    address = router.address
    router.close()
    assert code(f"pmp:{address}") == "pmp-disabled"


def test_looking_maps_nothing(router: Router) -> None:
    look(specs(router), GAME)
    assert router.entries == ()
    assert (router.heard.add, router.heard.map, router.heard.delete, router.heard.unmap) == (0, 0, 0, 0)


# The try


@pytest.mark.parametrize("spec", ["pmp:{0.address}", "upnp:{0.description_url}"])
def test_the_try_maps_and_removes(router: Router, spec: str) -> None:
    findings = look(spec.format(router), GAME, try_it=True)
    (attempt,) = findings.attempts
    assert (attempt.external_port, attempt.lifetime, attempt.left) == (PORT, 60, "")
    assert router.entries == ()


@pytest.mark.parametrize(
    ("spec", "quirks"),
    [("pmp:{0.address}", Quirks(pmp_result=2)), ("upnp:{0.description_url}", Quirks(upnp_error=606))],
)
def test_a_refusal_by_policy_shows_in_the_try(router: Router, spec: str, quirks: Quirks) -> None:
    router.quirks = quirks
    assert code(spec.format(router), GAME) == "ok"
    assert code(spec.format(router), GAME, try_it=True) == "refused-by-policy"


def test_another_port_than_the_wanted_one_is_said(router: Router) -> None:
    router.quirks = Quirks(other_port=True)
    assert code(f"pmp:{router.address}", GAME, try_it=True) == "other-port"


def test_what_a_running_portmap_holds_is_not_tried(router: Router, tmp_path: Path) -> None:
    entry = JournalEntry("NAT-PMP", Protocol.TCP, PORT, PORT)
    running = SessionJournal(tmp_path, 4711, alive=True, written=0.0, journal=Journal((entry,)))
    findings = look(f"pmp:{router.address}", GAME, try_it=True, holdings=[running])
    assert findings.holders == (PortHolder(4711, Key(Protocol.TCP, PORT), PORT),)
    assert "process 4711" in findings.attempts[0].skipped
    assert (router.heard.map, router.heard.unmap) == (0, 0)


def test_what_portmap_open_left_is_open_by_it(router: Router, tmp_path: Path) -> None:
    entry = JournalEntry("NAT-PMP", Protocol.TCP, PORT, 40000)
    left = SessionJournal(tmp_path, 4711, alive=False, written=0.0, journal=Journal((entry,)))
    verdict = diagnose(look(f"pmp:{router.address}", GAME, left_open=[left]))
    assert verdict.explanation == "`portmap open` has opened it, at 8.8.4.4:40000 (TCP)."
    assert verdict.next_steps == ("try it from outside, as from a phone without Wi-Fi: 8.8.4.4:40000",)


def test_the_services_journals_are_read_too(
    router: Router, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "SERVICE_FOLDER", tmp_path)
    with portmap.open(f"pmp:{router.address}", [str(PORT)], state=tmp_path) as session:
        session.wait(5)
        monkeypatch.setattr(os, "getpid", lambda: 1)  # the session is another process's
        run(f"pmp:{router.address}", str(PORT))
    assert "holds 25565 for 25565/tcp" in capsys.readouterr().out


def test_what_another_program_here_holds_is_not_tried(router: Router) -> None:
    backend = probe_targets(f"upnp:{router.description_url}")[0].load()
    assert backend
    backend.add_mapping(Protocol.TCP, 0, PORT, "game", 600)
    backend.close()
    findings = look(f"upnp:{router.description_url}", GAME, try_it=True)
    assert "open already" in findings.attempts[0].skipped
    assert len(router.entries) == 1


# Time


class Hung:
    """A backend that does not answer before it is released."""

    def __init__(self) -> None:
        self.go = Event()

    def external_ip(self, timeout: float) -> None:
        self.go.wait()
        raise GatewayTimeout("let go")

    def evidence(self) -> tuple[str, ...]:
        return ()


def test_the_end_comes_in_time_even_where_a_backend_hangs(router: Router) -> None:
    with Stopwatch() as watch:
        backend = Hung()
        hung = ProbeTarget("hung", lambda: backend)  # type: ignore[arg-type, return-value]  # as bad as a backend can be
        (named,) = probe_targets(f"pmp:{router.address}")
        findings = examine((hung, named), probes=PROBES, timeout=0.5)
        backend.go.set()
    assert watch.seconds < 2
    assert isinstance(findings.answers[0].error, GatewayTimeout)
    assert diagnose(findings).code == "ok"


def test_a_plugin_that_is_broken_is_an_answer_too(router: Router) -> None:
    def broken() -> None:
        raise SpecError("no")

    findings = examine((ProbeTarget("bad", broken), *probe_targets(f"pmp:{router.address}")), probes=PROBES)
    assert [answer.broken for answer in findings.answers] == [True, False]
    assert diagnose(findings).code == "ok"
