"""The doctor against simulated routers: what is printed, and captures that are replayed."""

import json
import logging
import stat
from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.doctor.examined import GAME, HERE, PORT, PROBES, code, look, run, specs
from tests.stopwatch import Stopwatch

from portmap.backends.nat import Nat
from portmap.cli.output.diagnosis import lines_of
from portmap.cli.output.style import Style
from portmap.doctor.capture import Capture
from portmap.doctor.diagnose import diagnose
from portmap.doctor.diagnosis import Outcome
from portmap.doctor.examine import examine
from portmap.doctor.findings import Findings
from portmap.doctor.probes.backends import probe_targets
from portmap.doctor.report import report_lines
from portmap.errors import NATError, PortmapError, Refused, SpecError
from portmap.model import Grant
from portmap.simulator.replay import Replay
from portmap.testing import Quirks, Router

pytestmark = pytest.mark.usefixtures("no_journals")

# What is shown


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


# Capture and replay


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
