"""`portmap run`, as a user runs it, against a simulated router."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from portmap.cli.hold.run import environment_of
from portmap.cli.parser.bare_group import split_child
from portmap.events import PortAdded
from portmap.model import Mapping, Protocol
from portmap.testing import Quirks, Router, loopback_address

TELL = "import os; print({key: os.environ[key] for key in sorted(os.environ) if key.startswith('PORTMAP_')})"


@pytest.fixture
def router() -> Iterator[Router]:
    with Router(loopback_address()) as simulated:
        yield simulated


def command(router: Router, *words: str) -> list[str]:
    return [sys.executable, "-m", "portmap", "run", "--nat", f"pmp:{router.address}", *words]


def run(router: Router, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command(router, *words), capture_output=True, text=True, check=False, timeout=30)


def test_a_file_that_is_no_program_is_told_from_one_that_is_not_there(router: Router, tmp_path: Path) -> None:
    (tmp_path / "start.sh").write_text("#!/bin/sh\n")
    told = run(router, "8080", "--", str(tmp_path / "start.sh"))
    assert (told.returncode, "may not be run: make it a program with chmod +x" in told.stderr) == (2, True)
    assert "there is no program" in run(router, "8080", "--", str(tmp_path / "stop.sh")).stderr


def test_the_words_of_the_program_are_none_of_ours(router: Router) -> None:
    told = run(router, "8080", "--", sys.executable, "-c", "raise SystemExit(7)", "status", "--check")
    assert told.returncode == 7
    told = run(router, "8080", "--nat", "nonsense", "--", sys.executable, "--json")
    assert (told.returncode, told.stdout) == (2, "")


def test_the_program_learns_where_it_can_be_reached_and_its_exit_code_is_ours(router: Router) -> None:
    told = run(router, "web=8080", "--", sys.executable, "-c", f"{TELL}; raise SystemExit(7)")
    assert told.returncode == 7
    assert "'PORTMAP_EXTERNAL_PORT': '8080'" in told.stdout
    assert "'PORTMAP_WEB_PORT': '8080'" in told.stdout
    assert "'PORTMAP_EXTERNAL_IP': '1.2.3.4'" in told.stdout


def test_the_port_is_open_while_the_program_lives_and_shut_afterwards(router: Router) -> None:
    child = subprocess.Popen(command(router, "8080", "--", "sleep", "30"), stderr=subprocess.DEVNULL)
    until = time.monotonic() + 10
    while not router.entries and time.monotonic() < until:
        time.sleep(0.01)
    assert [entry.external_port for entry in router.entries] == [8080]
    child.terminate()
    child.wait(10)
    assert router.entries == ()


def test_standard_output_is_the_programs_own(router: Router) -> None:
    told = run(router, "8080", "--", "echo", "hello")
    assert told.stdout == "hello\n"
    assert "mapped" in told.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_is_passed_on_and_a_program_that_dies_of_it_is_told_as_by_a_shell(
    router: Router, number: signal.Signals
) -> None:
    words = command(router, "8080", "--", "sh", "-c", "echo $$; exec sleep 30")
    child = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, text=True
    )
    with child:
        assert child.stdout is not None
        child.stdout.readline()  # it runs
        child.send_signal(number)
        assert child.wait(10) == 128 + number


def test_a_program_that_knows_better_may_outlive_a_signal(router: Router) -> None:
    script = "trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done"
    words = command(router, "8080", "--", "sh", "-c", script)
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.terminate()
        assert child.wait(10) == 5


def test_at_the_end_of_the_time_the_program_is_asked_to_end(router: Router) -> None:
    assert run(router, "--for", "1s", "8080", "--", "sleep", "30").returncode == 128 + signal.SIGTERM


def test_where_the_port_cannot_be_had_the_program_is_not_started() -> None:
    with Router(loopback_address(), quirks=Quirks(conflict=frozenset({8080}))) as router:
        router.quirks = Quirks(pmp_result=2)
        told = run(router, "--wait", "1s", "8080", "--", "echo", "hello")
    assert (told.returncode, told.stdout) == (4, "")


def test_with_anyway_it_is_started_all_the_same() -> None:
    with Router(loopback_address(), quirks=Quirks(pmp_result=2)) as router:
        told = run(router, "--anyway", "--wait", "1s", "8080", "--", "echo", "hello")
    assert (told.returncode, told.stdout) == (0, "hello\n")


@pytest.mark.parametrize("words", [["8080"], ["8080", "--"], ["8080", "--", "no-such-program-anywhere"]])
def test_without_a_program_nothing_is_opened(router: Router, words: list[str]) -> None:
    told = run(router, *words)
    assert told.returncode == 2
    assert "Traceback" not in told.stderr
    assert router.heard.map == 0


def test_the_words_after_two_dashes_are_the_programs() -> None:
    assert split_child(["8080", "--", "a", "--nat", "b", "--"]) == (["8080"], ["a", "--nat", "b", "--"])


def test_of_several_mappings_the_first_is_the_plain_one() -> None:
    web = Mapping(Protocol.TCP, 8080, 443, 600, IPv4Address("1.2.3.4"), "web-ui")
    game = Mapping(Protocol.UDP, 27015, 27020, 600, IPv4Address("1.2.3.4"))
    told = environment_of([web, game], "G")
    assert (told["PORTMAP_EXTERNAL_PORT"], told["PORTMAP_INTERNAL_PORT"]) == ("443", "8080")
    assert (told["PORTMAP_WEB_UI_PORT"], told["PORTMAP_UDP_27015_PORT"]) == ("443", "27020")


def test_where_the_application_follows_its_port_is_the_external_one() -> None:
    told = environment_of([Mapping(Protocol.TCP, 1, 20001, 60, IPv4Address("1.2.3.4"), follow=True)], "G")
    assert told["PORTMAP_INTERNAL_PORT"] == "20001"


def test_the_protocol_is_written_as_in_events_and_in_commands_of_exec() -> None:
    mapping = Mapping(Protocol.TCP, 80, 80, 60, IPv4Address("1.2.3.4"))
    assert environment_of([mapping], "G")["PORTMAP_PROTOCOL"] == "TCP"
    assert PortAdded.of(mapping).to_dict()["protocol"] == "TCP"


def test_the_child_inherits_the_rest_of_the_environment(router: Router, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARK", "seen")
    assert run(router, "8080", "--", "sh", "-c", "echo $MARK").stdout == "seen\n"
    assert "PORTMAP_EXTERNAL_PORT" not in os.environ


def test_the_child_does_not_inherit_our_secrets(router: Router, monkeypatch: pytest.MonkeyPatch) -> None:
    withheld = ("PORTMAP_NAT", "PORTMAP_PUBLISH", "NOTIFY_SOCKET", "WATCHDOG_USEC", "CREDENTIALS_DIRECTORY")
    for name in withheld[2:]:
        monkeypatch.setenv(name, "/secret")
    monkeypatch.setenv("PORTMAP_NAT", f"pmp:{router.address}")
    monkeypatch.setenv("PORTMAP_PUBLISH", "exec:true secret")
    seen = run(router, "8080", "--", "env").stdout
    assert not [name for name in withheld if f"{name}=" in seen]


def test_a_folder_is_no_program(router: Router, tmp_path: Path) -> None:
    assert run(router, "8080", "--", str(tmp_path)).returncode == 2
