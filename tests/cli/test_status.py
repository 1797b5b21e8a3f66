"""`portmap status`, `open` and `close`, as a user runs them, against a simulated router."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import pytest

import portmap
from portmap.backends.nat import Nat
from portmap.cli import state_folder
from portmap.cli.commands.status import status_lines
from portmap.cli.parser.app import main
from portmap.errors import NoPublicAddress
from portmap.hookspecs import hookimpl
from portmap.model import Kind
from portmap.storage.status import PortStatus, PublisherStatus, SessionStatus
from portmap.testing import Quirks, Router, loopback_address


@pytest.fixture
def router() -> Iterator[Router]:
    with Router(loopback_address()) as simulated:
        yield simulated


@pytest.fixture
def state(tmp_path: Path) -> str:
    return str(tmp_path / "state")


@pytest.fixture
def holding(router: Router, state: str) -> "Iterator[subprocess.Popen[str]]":
    """A running instance that holds 8080/tcp, once that is told."""
    words = [sys.executable, "-m", "portmap", "--nat", f"pmp:{router.address}", "--state", state, "web=8080"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while "holding" not in process.stdout.readline():
            pass
        yield process
        process.kill()


def called(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(words)
    told = capsys.readouterr()
    return int(ended.value.code or 0), told.out, told.err


def asked(capsys: pytest.CaptureFixture[str], state: str) -> Any:
    return json.loads(called(capsys, "status", "--json", "--state", state)[1])["instances"]


@pytest.mark.usefixtures("holding")
def test_status_tells_what_a_running_instance_holds(state: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = called(capsys, "status", "--state", state)
    assert code == 0
    assert "web 8080/tcp  up     1.2.3.4:8080" in out


@pytest.mark.usefixtures("holding")
def test_a_health_check_that_finds_all_well_is_silent_and_0(state: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert called(capsys, "status", "--check", "--state", state) == (0, "", "")


def test_a_health_check_without_an_instance_is_1(state: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert called(capsys, "status", "--check", "--state", state)[0] == 1


def test_a_health_check_of_a_port_that_is_not_open_is_1(
    holding: "subprocess.Popen[str]", router: Router, state: str, capsys: pytest.CaptureFixture[str]
) -> None:
    more = [sys.executable, "-m", "portmap", "--nat", f"pmp:{router.address}", "--state", state, "9090"]
    router.quirks = Quirks(pmp_result=2)
    with subprocess.Popen(more, stdout=subprocess.DEVNULL) as other:
        until = time.monotonic() + 10
        while len(asked(capsys, state)) < 2 and time.monotonic() < until:
            time.sleep(0.02)
        assert called(capsys, "status", "--check", "--state", state)[0] == 1
        assert called(capsys, "status", "--check", str(holding.pid), "--state", state)[0] == 0
        other.kill()


def test_a_killed_instance_holds_nothing(
    holding: "subprocess.Popen[str]", state: str, capsys: pytest.CaptureFixture[str]
) -> None:
    holding.kill()
    holding.wait(5)
    assert asked(capsys, state) == []


def test_an_instance_that_ended_is_gone(
    holding: "subprocess.Popen[str]", state: str, capsys: pytest.CaptureFixture[str]
) -> None:
    holding.send_signal(signal.SIGTERM)
    holding.wait(5)
    assert asked(capsys, state) == []
    assert "no instance" in called(capsys, "status", "--state", state)[1]


@pytest.mark.usefixtures("holding")
def test_an_unknown_instance_name_is_a_mistake(state: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = called(capsys, "status", "unknown", "--state", state)
    assert code == 2
    assert "no running instance is called 'unknown'" in err


WIDE = SessionStatus(
    4242,
    "living-room",
    "any",
    0.0,
    0.0,
    gateway="UPnP 192.168.178.1 (IGD:2)",
    ports=(
        PortStatus("TCP", 25565, "minecraft-for-everyone", False, "up", "203.0.113.117", 25565, 3600.0, 1.0),
        PortStatus(
            "TCP", 25565, "minecraft-for-everyone", True, "up", "2a02:8071:22c1:1100:5054:ff:fe12:3456", 25565, 90.0
        ),
        PortStatus("UDP", 53, state="failed", reason="the table is full, and so is everything else " * 3),
    ),
    publishers=(PublisherStatus("qBittorrent http://localhost:8080", ok=False, since=0.0, reason="401 " * 30),),
)


def test_every_line_fits_into_80_columns_and_what_was_cut_is_below() -> None:
    lines = status_lines([WIDE], 10.0, 80)
    assert max(map(len, lines)) <= 80
    text = " ".join(" ".join(lines).split())
    assert "living-room: via UPnP 192.168.178.1 (IGD:2)" in text
    assert "[2a02:8071:22c1:1100:5054:ff:fe12:3456]:25565" in text


def test_the_interface_that_was_chosen_stands_behind_the_gateway() -> None:
    chosen = replace(WIDE, nat="any on eth1")
    assert "  living-room: via UPnP 192.168.178.1 (IGD:2) on eth1" in status_lines([chosen], 10.0, 80)
    assert "  living-room: via any on eth1" in status_lines([replace(chosen, gateway="")], 10.0, 80)


def test_a_wide_terminal_shows_everything_in_the_table() -> None:
    assert "[2a02:8071:22c1:1100:5054:ff:fe12:3456]:25565" in status_lines([WIDE], 10.0, 200)[2]


def test_the_systems_service_is_found_without_naming_its_folder(
    holding: "subprocess.Popen[str]",  # it runs
    state: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(state_folder, "SERVICE_FOLDER", Path(state))
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "mine"))
    assert "web 8080/tcp" in called(capsys, "status")[1]
    assert "web 8080/tcp" not in called(capsys, "status", "--state", str(tmp_path / "other"))[1]


def test_the_systems_service_is_found_by_a_user_whose_own_folder_cannot_be_read(
    holding: "subprocess.Popen[str]",  # it runs
    state: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(state_folder, "SERVICE_FOLDER", Path(state))
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "file"))
    code, out, err = called(capsys, "status")
    assert (code, "web 8080/tcp" in out) == (0, True)
    assert err.startswith("portmap: what portmap holds for this user is not known: ")


def test_a_service_whose_status_may_not_be_read_is_hinted_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shut = tmp_path / "shut"
    shut.write_text("")  # listing it fails, for root too
    monkeypatch.setattr(state_folder, "SERVICE_FOLDER", shut)
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "mine"))
    assert f"the status of the system's service is in {shut}" in called(capsys, "status")[2]


@pytest.mark.usefixtures("holding")
def test_watch_goes_on_until_it_is_interrupted(state: str) -> None:
    words = [sys.executable, "-m", "portmap", "status", "--watch", "--state", state]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}) as it:
        assert it.stdout is not None
        tables = 0
        while tables < 2:
            tables += it.stdout.readline().startswith("INSTANCE")
        it.kill()


def test_what_was_opened_stays_open_and_is_closed_by_name(
    router: Router, state: str, capsys: pytest.CaptureFixture[str]
) -> None:
    there = ("--nat", f"pmp:{router.address}", "--state", state)
    code, out, _ = called(capsys, "open", "--lease", "5m", "9000/both", *there)
    assert (code, len(router.entries)) == (0, 2)
    assert "9000/tcp is open at 1.2.3.4:9000 for 5m" in out
    assert called(capsys, "close", "9000/both", *there)[0] == 0
    assert router.entries == ()


def test_a_session_of_the_same_user_does_not_sweep_what_was_opened(
    router: Router, state: str, capsys: pytest.CaptureFixture[str]
) -> None:
    there = ("--nat", f"pmp:{router.address}", "--state", state)
    called(capsys, "open", "9000", *there)
    called(capsys, "--for", "1s", "8080", *there)
    assert [entry.internal_port for entry in router.entries] == [9000]


def test_all_that_was_opened_is_closed_at_once(router: Router, state: str, capsys: pytest.CaptureFixture[str]) -> None:
    there = ("--nat", f"pmp:{router.address}", "--state", state)
    called(capsys, "open", "9000", *there)
    called(capsys, "open", "9001/udp", *there)
    assert called(capsys, "close", "--mine", *there)[0] == 0
    assert router.entries == ()


def test_what_was_not_opened_here_is_not_closed(router: Router, state: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = called(capsys, "close", "9000", "--nat", f"pmp:{router.address}", "--state", state)
    assert code == 2
    assert "9000/tcp: 'portmap open' left no such port open" in err


@pytest.mark.parametrize(
    "words", [["open"], ["open", "x"], ["open", "--nat", "none", "80"], ["close"], ["close", "--mine", "80"]]
)
def test_a_mistake_is_told_and_nothing_is_sent(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = called(capsys, *words)
    assert code == 2
    assert err.startswith("portmap: ")


def test_a_private_address_is_told_and_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    with Router(loopback_address(), external_ip="100.64.3.9") as router:
        code, out, err = called(capsys, "ip", "--nat", f"pmp:{router.address}")
        assert (code, out) == (8, "100.64.3.9\n")
        assert "CGNAT" in err
        assert called(capsys, "ip", "--allow-private", "--nat", f"pmp:{router.address}")[0] == 0


FORMS = {
    "pmp": "pmp:{0.address}",
    "pcp": "pcp:{0.address}",
    "upnp": "upnp:{0.description_url}",
    "any": "any:pcp:{0.address},pmp:{0.address},upnp:{0.description_url}",
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_ip_exits_with_8_where_the_gateway_states_a_shared_address(
    form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with Router(loopback_address(), external_ip="100.64.3.9") as router:
        assert called(capsys, "ip", "--nat", form.format(router))[:2] == (8, "100.64.3.9\n")


@pytest.mark.parametrize("form", ["pmp", "pcp", "any"])
def test_ip_exits_with_8_where_the_gateway_refuses_for_want_of_a_public_address(
    form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with Router(loopback_address(), external_ip="100.64.3.9", quirks=Quirks(refuses_private=True)) as router:
        code, out, err = called(capsys, "ip", "--nat", FORMS[form].format(router))
    assert (code, out) == (8, "")
    assert "double NAT" in err


class Refusing:
    """A backend whose gateway refuses, and states its shared address with that."""

    kind: ClassVar[Kind] = Kind.LOOP

    @hookimpl
    def external_ip(self) -> NoReturn:
        raise NoPublicAddress("no public address", external_ip=IPv4Address("100.64.3.9"))

    add_mapping = delete_mapping = external_ip


def test_ip_prints_the_address_that_a_refusal_has(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portmap, "load", lambda _: Nat(Refusing(), "refusing"))
    code, out, err = called(capsys, "ip")
    assert (code, out) == (8, "100.64.3.9\n")
    assert "CGNAT" in err
    assert called(capsys, "ip", "--allow-private")[:2] == (0, "100.64.3.9\n")
