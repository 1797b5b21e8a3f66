"""The publisher `exec`, with real commands."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from tests.publish.conftest import DNS, WEB
from tests.stopwatch import Stopwatch

from portmap.endpoints import Endpoints
from portmap.errors import PortmapError
from portmap_publish import ExecPublisher
from portmap_publish.command import Command

MOVED = replace(WEB, external_port=9090, external_ip=IPv4Address("9.9.9.9"))
NOTE = "sh:echo {event} {name}{internal_port}={ip}:{port} >> notes"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("PORTMAP_")]:  # the test run's own
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def notes(folder: Path) -> list[str]:
    return (folder / "notes").read_text().splitlines()


def publisher(command: str, timeout: float = 30.0) -> ExecPublisher:
    return ExecPublisher(Command.parse(command), timeout)


def test_one_run_for_each_port_whose_truth_changed(folder: Path) -> None:
    noting = publisher(NOTE)
    noting.converge(Endpoints((WEB, DNS)), again=False)
    noting.converge(Endpoints((MOVED, DNS)), again=False)
    assert notes(folder) == ["added web80=8.8.8.8:8080", "added 53=8.8.8.8:53", "changed web80=9.9.9.9:9090"]


def test_a_lost_port_is_told_by_the_port_that_it_had(folder: Path) -> None:
    noting = publisher(NOTE)
    noting.converge(Endpoints((WEB,)), again=False)
    noting.converge(Endpoints(), again=False)
    noting.converge(Endpoints(), again=False)
    assert notes(folder) == ["added web80=8.8.8.8:8080", "lost web80=8.8.8.8:8080"]


def test_a_successful_command_is_run_again_only_on_demand(folder: Path) -> None:
    noting = publisher(NOTE)
    noting.converge(Endpoints((WEB,)), again=False)
    noting.converge(Endpoints((WEB,)), again=True)
    assert notes(folder) == ["added web80=8.8.8.8:8080", "again web80=8.8.8.8:8080"]


def test_only_a_failed_run_is_repeated(folder: Path) -> None:
    picky = publisher(f"{NOTE}; test {{protocol}} = UDP -o -e ready")
    with pytest.raises(PortmapError, match="exit code 1"):
        picky.converge(Endpoints((WEB, DNS)), again=False)
    (folder / "ready").touch()
    picky.converge(Endpoints((WEB, DNS)), again=False)
    assert notes(folder) == ["added web80=8.8.8.8:8080", "added 53=8.8.8.8:53", "added web80=8.8.8.8:8080"]


def test_the_environment_tells_everything(folder: Path) -> None:
    noting = publisher("sh:env | grep ^PORTMAP_ | sort > notes")
    noting.converge(Endpoints((WEB,)), again=False)
    noting.converge(Endpoints((MOVED,), gateway="the gateway"), again=False)
    assert notes(folder) == [
        "PORTMAP_EVENT=changed",
        "PORTMAP_EXTERNAL_IP=9.9.9.9",
        "PORTMAP_EXTERNAL_PORT=9090",
        "PORTMAP_GATEWAY=the gateway",
        "PORTMAP_HOST=",
        "PORTMAP_INTERNAL_PORT=80",
        "PORTMAP_NAME=web",
        "PORTMAP_OLD_EXTERNAL_IP=8.8.8.8",
        "PORTMAP_OLD_EXTERNAL_PORT=8080",
        "PORTMAP_PROTOCOL=TCP",
        "PORTMAP_SCOPE=public",
    ]


def test_the_command_does_not_inherit_what_is_secret(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = (
        "PORTMAP_PUBLISH",
        "PORTMAP_NAT",
        "NOTIFY_SOCKET",
        "CREDENTIALS_DIRECTORY",
        "WATCHDOG_PID",
        "WATCHDOG_USEC",
    )
    for name in (*secret, "INHERITED"):
        monkeypatch.setenv(name, "canary")
    publisher("sh:env | grep canary > notes").converge(Endpoints((WEB,)), again=False)
    assert notes(folder) == ["INHERITED=canary"]


def test_the_change_comes_as_json_on_standard_input(folder: Path) -> None:
    publisher("sh:cat > notes").converge(Endpoints((WEB,), gateway="g"), again=False)
    told = json.loads((folder / "notes").read_text())
    assert (told["v"], told["event"], told["external_port"], told["gateway"]) == (1, "added", 8080, "g")


def test_why_it_failed_is_in_its_own_last_words() -> None:
    failing = publisher("sh:echo first; echo 'no such client' >&2; exit 3")
    with pytest.raises(PortmapError, match=r"the command /bin/sh ended with exit code 3: first no such client"):
        failing.converge(Endpoints((WEB,)), again=False)


def test_a_command_that_is_not_there_is_an_error() -> None:
    with pytest.raises(PortmapError, match="no-such-command cannot be run: No such file or directory"):
        publisher("no-such-command {port}").converge(Endpoints((WEB,)), again=False)


def test_a_command_that_hangs_is_ended_with_all_that_it_started(
    folder: Path, eventually: Callable[[Callable[[], object]], None]
) -> None:
    with Stopwatch() as watch:
        hanging = publisher("sh:sleep 60 & echo $! > notes; wait", timeout=0.3)
        with pytest.raises(PortmapError, match=r"did not end within 0.3 s, so it was ended"):
            hanging.converge(Endpoints((WEB,)), again=False)
    assert watch.seconds < 5
    eventually(lambda: not _runs(int(notes(folder)[0])))


def test_a_command_that_leaves_a_process_behind_is_not_waited_for() -> None:
    with Stopwatch() as watch:
        publisher("sh:sleep 3 &").converge(Endpoints((WEB,)), again=False)
    assert watch.seconds < 2


def test_a_command_that_reads_nothing_and_says_much_is_fine() -> None:
    publisher("sh:head -c 300000 /dev/zero").converge(Endpoints((WEB,)), again=False)


def _runs(pid: int) -> bool:
    """Whether the process still runs; a zombie does not."""
    try:
        os.kill(pid, 0)
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False
