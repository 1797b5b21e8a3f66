"""`portmap doctor` against the simulated router: what is asked, what is shown, what is captured and replayed."""

import json
import logging
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.stopwatch import Stopwatch

import portmap
from portmap.backends.nat import Nat
from portmap.cli.commands import doctor
from portmap.cli.commands.doctor import DoctorArguments, run_doctor
from portmap.cli.output.diagnosis import lines_of
from portmap.cli.output.style import Style
from portmap.doctor.capture import Capture
from portmap.doctor.diagnose import diagnose
from portmap.doctor.diagnosis import Outcome
from portmap.doctor.examine import HostProbes, examine
from portmap.doctor.findings import Findings, HostFirewall, HostNetwork, PortHolder
from portmap.doctor.probes.backends import ProbeTarget, probe_targets
from portmap.doctor.report import report_lines
from portmap.errors import GatewayTimeout, NATError, PortmapError, Refused, SpecError
from portmap.model import Grant, PortRequest, Protocol
from portmap.network.listening_sockets import ListeningSocket
from portmap.simulator.replay import Replay
from portmap.storage.journal import Journal, JournalEntry
from portmap.storage.journal_reader import SessionJournal
from portmap.syntax.mappings import parse_mapping
from portmap.testing import Quirks, Router, loopback_address

PORT = 25565
HERE = HostNetwork((IPv4Address("192.168.1.1"),), "eth0", IPv4Address("192.168.1.20"))
SERVED = (ListeningSocket(Protocol.TCP, IPv4Address("0.0.0.0"), PORT, "java (1)"),)  # noqa: S104  # as /proc says it
PROBES = HostProbes(lambda: HERE, lambda _: SERVED, lambda _: HostFirewall(False, "lets everything in"))
GAME = parse_mapping(str(PORT))


@pytest.fixture
def router() -> Iterator[Router]:
    with Router(loopback_address(), external_ip="8.8.4.4") as simulated:
        yield simulated


@pytest.fixture(autouse=True)
def _no_journals(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))


def specs(router: Router) -> str:
    return f"any:pmp:{router.address},upnp:{router.description_url}"


def look(spec: str, requests: tuple[PortRequest, ...] = (), **more: Any) -> Findings:
    return examine(probe_targets(spec), requests, probes=PROBES, **more)


def code(spec: str, requests: tuple[PortRequest, ...] = (), **more: Any) -> str:
    return diagnose(look(spec, requests, **more)).code


# What is found ---------------------------------------------------------------------------------------------------


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


def test_a_protocol_without_an_answer_is_off(router: Router) -> None:
    address = router.address
    router.close()
    assert code(f"pmp:{address}") == "pmp-disabled"


def test_looking_maps_nothing(router: Router) -> None:
    look(specs(router), GAME)
    assert router.entries == ()
    assert (router.heard.add, router.heard.map, router.heard.delete, router.heard.unmap) == (0, 0, 0, 0)


# The try ---------------------------------------------------------------------------------------------------------


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
    assert findings.holders == (PortHolder(4711, (Protocol.TCP, PORT), PORT),)
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


# Time ------------------------------------------------------------------------------------------------------------


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


# What is shown ---------------------------------------------------------------------------------------------------


def run(spec: str, mapping: str | None = None, **how: Any) -> Outcome:
    try_it = how.pop("try_it", False)
    arguments = DoctorArguments.read(mapping, spec, how.pop("stun", None), how.pop("capture", None), try_it=try_it)
    return run_doctor(arguments, as_one_object=how.pop("json", False), report=how.pop("report", False))


def test_the_command_prints_sections_a_verdict_and_next_steps(
    router: Router, capsys: pytest.CaptureFixture[str]
) -> None:
    router.quirks = Quirks(cgnat_wan=True)
    assert run(specs(router), str(PORT)) is Outcome.UNREACHABLE
    printed = capsys.readouterr()
    heads = [line.split()[0] for line in printed.out.splitlines() if line and line[0] != " "]
    assert heads == ["Network", "Protocols", "Address", "Mapping", "Local", "VERDICT", "NEXT"]
    assert "\033" not in printed.out
    assert printed.err == ""


def test_the_json_is_one_object(router: Router, capsys: pytest.CaptureFixture[str]) -> None:
    router.quirks = Quirks(cgnat_wan=True)
    run(specs(router), str(PORT), json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["v"], told["verdict"], told["exit"], told["ok"]) == (1, "cgnat", 8, False)
    assert {answer["scope"] for answer in told["backends"]} == {"cgnat"}


def test_the_report_tells_the_versions_and_no_address(router: Router, capsys: pytest.CaptureFixture[str]) -> None:
    run(specs(router), str(PORT), report=True)
    printed = capsys.readouterr().out
    assert printed.startswith("```\nportmap doctor --report  (portmap ")
    assert "8.8.x.x" in printed
    assert "8.8.4.4" not in printed


def test_letters_that_the_terminal_lacks_are_not_sent_to_it() -> None:
    findings = Findings(HERE, ())
    lines = lines_of(report_lines(findings), diagnose(findings), Style(ascii=True))
    assert "\n".join(lines).isascii()
    assert lines[0].startswith("Network    + default gateway")


def test_colour_is_only_where_it_is_wanted() -> None:
    findings = Findings(HERE, ())
    verdict = diagnose(findings)
    assert "\033[32m✓\033[0m" in lines_of(report_lines(findings), verdict, Style(colour=True))[0]
    assert "\033" not in "".join(lines_of(report_lines(findings), verdict, Style()))


def test_what_a_router_says_cannot_drive_the_terminal(router: Router) -> None:
    findings = look(specs(router))
    (answer, *_) = findings.answers
    evil = replace(findings, answers=(replace(answer, evidence=("\033[2J",)),))
    assert "\033" not in "\n".join(lines_of(report_lines(evil), diagnose(evil), Style()))


@pytest.mark.parametrize(
    ("spec", "mapping", "how"),
    [
        ("none", None, {}),
        ("off", None, {}),
        ("nonsense", None, {}),
        ("", None, {}),
        ("pmp:", None, {}),
        ("pmp:router", None, {}),
        ("upnp:ftp://127.0.0.1/", None, {}),
        ("any:x", None, {}),
        ("any:none", None, {}),
        ("pmp:127.0.0.1", "70000", {}),
        ("pmp:127.0.0.1", "", {}),
        ("pmp:127.0.0.1", "80/icmp", {}),
        ("pmp:127.0.0.1", None, {"try_it": True}),
        ("pmp:127.0.0.1", None, {"stun": ""}),
        ("pmp:127.0.0.1", None, {"stun": "3478"}),
        ("pmp:127.0.0.1", None, {"capture": "/nowhere/at/all"}),
        ("pmp:127.0.0.1", None, {"capture": "/"}),
        ("pmp:127.0.0.1", None, {"json": True, "report": True}),
    ],
)
def test_a_mistake_of_the_users_is_told_before_anything_is_sent(
    spec: str, mapping: str | None, how: dict[str, Any]
) -> None:
    with Stopwatch() as watch:
        with pytest.raises(PortmapError) as told:
            run(spec, mapping, **how)
        assert not isinstance(told.value, NATError)
    assert watch.seconds < 1


# Capture and replay ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", ["pmp:{0.address}", "upnp:{0.description_url}"])
@pytest.mark.parametrize(
    ("quirks", "verdict"),
    [
        (Quirks(), "ok"),
        (Quirks(cgnat_wan=True), "cgnat"),
        (Quirks(no_wan=True), "no-address"),
        (Quirks(upnp_error=606, pmp_result=2), "refused-by-policy"),
        (Quirks(absolute_control_url=True, private_wan=True), "double-nat"),
    ],
)
def test_a_captured_router_replayed_gets_the_same_verdict(
    router: Router, tmp_path: Path, quirks: Quirks, verdict: str, spec: str
) -> None:
    router.quirks = quirks
    with Capture(tmp_path / "capture", "0"):
        assert code(spec.format(router), GAME, try_it=True) == verdict
    with Replay((tmp_path / "capture").read_text(), port=5351) as replay:
        assert code(spec.format(replay), GAME, try_it=True) == verdict


def test_a_gateway_that_states_its_address_only_with_a_mapping_states_it_in_the_trial(router: Router) -> None:
    router.external_ip = "100.64.1.2"
    (named,) = probe_targets(f"pmp:{router.address}")
    nat = named.load()
    assert nat
    shy = replace(named, load=lambda: Shy(nat))  # type: ignore[arg-type, return-value]  # a backend in all that is used
    findings = examine((shy,), GAME, probes=PROBES, try_it=True)
    assert findings.stated == (IPv4Address("100.64.1.2"),)
    assert diagnose(findings).code == "cgnat"


class Shy:
    """A backend of a gateway that tells its address with a mapping only, as PCP's do."""

    def __init__(self, nat: Nat) -> None:
        self._nat = nat

    def __getattr__(self, name: str) -> Any:
        return getattr(self._nat, name)

    def external_ip(self, timeout: float) -> None:
        raise Refused("it tells its address with a mapping only")

    def add_mapping(self, *asked: Any, **more: Any) -> Grant:
        return replace(self._nat.add_mapping(*asked, **more), external_ip=self._nat.external_ip())


def test_a_capture_leaves_the_log_as_it_was(tmp_path: Path) -> None:
    logger = logging.getLogger("portmap")
    before = logger.level, list(logger.handlers)
    with Capture(tmp_path / "capture", "0.1"):
        pass
    assert (logger.level, logger.handlers) == before
    assert json.loads((tmp_path / "capture").read_text()) == {"v": 1, "portmap": "0.1"}


def test_a_capture_is_for_its_owner_alone_though_the_file_was_there_before(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    path.touch(0o644)
    with Capture(path, "0"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


_choices: st.SearchStrategy[Any] = st.sampled_from(
    ["udp", "http", "ssdp", "in", "out", "1.2.3.4:5", "GET /", "00", "", 7, -1.5, None, (1,), {}]
)
_keys = ("talk", "way", "over", "peer", "head", "data", "t")


@given(st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(_keys, _choices)), max_size=3))
def test_no_capture_raises_anything_but_a_spec_error(rows: list[dict[str, Any]]) -> None:
    lines = [{"v": 1}, *({"data": "00"} | row for row in rows)]
    with suppress(SpecError):
        Replay("\n".join(map(json.dumps, lines)))


@pytest.mark.parametrize("text", ["", "x", "[" * 100_000, "[]", '{"v": 2}', '{"v": 1}\n{"data": "x"}', '{"v": 1}\n7'])
def test_what_is_no_capture_is_refused(text: str) -> None:
    with pytest.raises(SpecError):
        Replay(text)
