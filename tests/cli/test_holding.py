"""The command: what ends by itself, and what holds ports until a signal."""

import json
import os
import signal

import pytest
from tests.cli.run_command import ACME, RAISES, Hold, Install, Run
from tests.stopwatch import Stopwatch

from portmap import __version__
from portmap.cli import exit_codes

STATIC = ("--nat", "extip:1.2.3.4")


# what ends by itself


def test_the_version_is_printed(run: Run) -> None:
    assert run("--version") == (0, f"portmap {__version__}\n", "")


def test_the_help_has_examples_and_the_exit_codes(run: Run) -> None:
    code, out, _ = run("--help")
    assert code == 0
    assert "portmap 25565" in out
    codes = "0 done, 2 usage, 3 no gateway, 4 refused, 5 conflict, 7 timeout, 8 out of reach, 9 plugin"
    assert f"Exit codes: {codes}" in " ".join(out.split())


def test_ip_prints_the_address_and_nothing_else(run: Run) -> None:
    assert run("ip", *STATIC) == (0, "1.2.3.4\n", "")


def test_ip_as_json_says_what_it_is_worth(run: Run) -> None:
    told = json.loads(run("ip", "--json", "--nat", "extip:192.168.1.5").out)
    assert "double NAT" in told.pop("meaning")
    assert told == {"v": 1, "external_ip": "192.168.1.5", "scope": "private", "gateway": "extip 192.168.1.5"}


def test_ip_without_a_nat_is_no_gateway(run: Run) -> None:
    assert run("ip", "--nat", "none")[:2] == (3, "")


@pytest.mark.parametrize("words", [("ip", *STATIC), (*STATIC, "ip"), ("--json", "ip", *STATIC), (*STATIC, "ip", "-v")])
def test_options_may_stand_before_or_after_a_command(run: Run, words: tuple[str, ...]) -> None:
    code, out, _ = run(*words)
    assert (code, "1.2.3.4" in out) == (0, True)


def test_a_counted_option_may_stand_before_a_command_too(run: Run) -> None:
    assert run("-v", "ip", *STATIC).code == 0


def test_backends_lists_what_is_installed(run: Run) -> None:
    code, out, _ = run("backends")
    rows = [line.split("  ")[0] for line in out.splitlines()]
    assert code == 0
    assert {"NAMES", "any, auto, on", "none, off", "extip, ip", "nat-pmp, natpmp, pmp", "upnp"} <= set(rows)


def test_backends_lists_the_broken_ones_with_the_reason(run: Run, install: Install) -> None:
    install("acme-nat", ACME, acme_nat="import no_such_module")
    code, out, _ = run("backends")
    (row,) = [line for line in out.splitlines() if line.startswith("acme")]
    assert (code, "broken" in row, "no_such_module" in row) == (0, True, True)


def test_backends_as_json_is_for_programs(run: Run, install: Install) -> None:
    install("acme-nat", ACME, acme_nat="import no_such_module")
    told = json.loads(run("backends", "--json").out)
    rows = {name: row for row in told["backends"] for name in row["names"]}
    assert told["v"] == 1
    assert (rows["pmp"]["kind"], rows["pmp"]["reason"]) == ("loop", "")
    assert (rows["acme"]["kind"], "no_such_module" in rows["acme"]["reason"]) == ("broken", True)


def test_tab_completes_a_backends_name(hold: Hold) -> None:
    completed = hold(_PORTMAP_COMPLETE="complete_bash", COMP_WORDS="portmap --nat u", COMP_CWORD="2").end()
    assert (completed.code, completed.out.split()) == (0, ["upnp"])


# holding


def test_without_a_mapping_the_seeds_node_is_held_and_the_first_line_says_so(hold: Hold) -> None:
    held = hold(*STATIC)
    assert "30303/tcp 30303/udp via extip:1.2.3.4  (the default: no MAPPING was given)" in held.line("")
    assert held.end(signal.SIGTERM).code == 0


def test_a_line_is_told_for_each_change_and_then_how_to_end(hold: Hold) -> None:
    held = hold(*STATIC, "web=443:8443")
    told = [held.line("") for _ in range(4)]
    assert [line.split()[1] for line in told] == ["asked", "external", "mapped", "holding"]
    assert "web 8443/tcp at 1.2.3.4:443  nothing sent: taken as open" in told[2]
    assert "1 mapping; Ctrl-C closes" in told[3]
    held.end(signal.SIGTERM)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_removes_what_is_held_and_ends_well(hold: Hold, number: signal.Signals) -> None:
    held = hold(*STATIC, "8080")
    held.line("holding")
    code, out, err = held.end(number)
    assert (code, err) == (0, "")
    assert "removed  8080/tcp" in out


def test_a_stream_of_json_has_one_object_a_line(hold: Hold) -> None:
    held = hold(*STATIC, "--json", "web=443:8443")
    changed, added = (json.loads(held.line("")) for _ in range(2))
    assert (changed["v"], changed["event"], changed["external_ip"]) == (1, "external_ip.changed", "1.2.3.4")
    assert added.pop("ts") == pytest.approx(changed["ts"], abs=5)
    assert added == {
        "v": 1,
        "event": "mapping.added",
        "protocol": "TCP",
        "internal_port": 8443,
        "external_port": 443,
        "external_ip": "1.2.3.4",
        "scope": "public",
        "lifetime": 0,
        "name": "web",
        "static": True,
    }
    rest = [json.loads(line) for line in held.end(signal.SIGTERM).out.splitlines()]
    assert "mapping.removed" in [told["event"] for told in rest]


def test_without_a_nat_that_is_said_once(hold: Hold) -> None:
    held = hold("--nat", "none", "80", "81")
    assert "nothing is mapped, the record keeps the local ports" in held.line("none  ")
    assert "none " not in held.end(signal.SIGTERM).out


def test_for_ends_by_itself_and_quiet_says_nothing(hold: Hold) -> None:
    assert hold(*STATIC, "-q", "--for", "1s", "8080").end() == (0, "", "")


def test_quiet_still_tells_what_goes_wrong(hold: Hold, install: Install) -> None:
    site = install("acme-nat", ACME, acme_nat=RAISES)
    held = hold("--nat", "acme:NoGateway", "-q", "8080", PYTHONPATH=str(site))
    assert "lost: what happened, and what to try" in held.line("")
    assert held.end(signal.SIGTERM).code == 0


def test_the_bare_form_keeps_trying_rather_than_exit(hold: Hold, install: Install) -> None:
    site = install("acme-nat", ACME, acme_nat=RAISES)
    held = hold("--nat", "acme:Conflict", "8080", PYTHONPATH=str(site))
    held.line("failed")
    assert held.process.poll() is None
    assert held.end(signal.SIGINT).code == 0


def test_a_hung_backend_does_not_hold_up_the_exit(hold: Hold, install: Install) -> None:
    source = RAISES.replace("raise self.error", "import time; time.sleep(60); raise self.error")
    site = install("acme-nat", ACME, acme_nat=source)
    held = hold("--nat", "acme:NoGateway", "8080", PYTHONPATH=str(site))
    held.line("asked")
    with Stopwatch(held.process.pid) as watch:
        held.process.send_signal(signal.SIGINT)
        os.waitid(os.P_PID, held.process.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and can still be judged
    assert watch.seconds < 3.5
    assert held.process.wait() == 0


def test_a_reader_that_goes_away_is_no_fault(hold: Hold) -> None:
    held = hold(*STATIC, "8080")
    held.line("asked")
    assert held.process.stdout is not None
    held.process.stdout.close()
    held.process.send_signal(signal.SIGTERM)
    assert held.process.wait(timeout=5) == 0
    assert held.process.stderr is not None
    assert held.process.stderr.read() == ""


def test_an_address_that_cannot_be_learnt_is_told_and_tried_on(hold: Hold, install: Install) -> None:
    site = install("acme-nat", ACME, acme_nat=RAISES.replace("Kind.LOOP", "Kind.STATIC"))
    code, out, _ = hold("--nat", "acme:NoGateway", "--for", "3s", "8080", PYTHONPATH=str(site)).end()
    assert code == exit_codes.NO_GATEWAY
    assert "external unknown: what happened, and what to try" in out
