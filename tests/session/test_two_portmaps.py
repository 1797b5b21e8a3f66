"""Two portmaps of one host hold the same port at the same gateway: processes, against a simulated router."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import pytest

import portmap
from portmap.errors import Conflict
from portmap.host.claims import PortClaims
from portmap.model import Protocol
from portmap.testing import Quirks, Router, loopback_address

# Another user, who can still read the interpreter and the code below root's home.
CAPABILITY = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
AS_OTHER_USER = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *CAPABILITY)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a process of another user")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only portmaps of one user meet")
PROTOCOLS = ("pmp", "upnp", "pcp")


@pytest.fixture
def router() -> Iterator[Router]:
    with Router(loopback_address(), quirks=Quirks()) as simulated:
        yield simulated


def spec(protocol: str, router: Router) -> str:
    return f"upnp:{router.description_url}" if protocol == "upnp" else f"{protocol}:{router.address}"


class Process:
    """`portmap --json` with a state folder of its own; its events are lines of a file."""

    def __init__(self, folder: Path, *words: str, other_user: bool = False) -> None:
        folder.mkdir()
        self._log = folder / "events"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [
                    *(AS_OTHER_USER if other_user else ()),
                    sys.executable,
                    "-m",
                    "portmap",
                    "--json",
                    "--state",
                    "none",
                    *words,
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.pid = self._process.pid

    def events(self, *names: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] in names]

    def wait_for(self, *names: str, count: int = 1) -> list[dict[str, Any]]:
        deadline = time.monotonic() + 20
        while len(found := self.events(*names)) < count:
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.02)
        return found

    def ask_to_stop(self, number: int = signal.SIGTERM) -> None:
        self._process.send_signal(number)

    def wait(self) -> None:
        self._process.wait(10)

    def stop(self, number: int = signal.SIGTERM) -> None:
        self.ask_to_stop(number)
        self.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)


Start = Callable[..., Process]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as stack:
        count = 0

        def process(*words: str, other_user: bool = False) -> Process:
            nonlocal count
            count += 1
            return stack.enter_context(Process(tmp_path / str(count), *words, other_user=other_user))

        yield process


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_first_to_end_leaves_the_mapping_to_the_other_and_the_last_deletes_it(
    router: Router, start: Start, protocol: str
) -> None:
    words = ("-4", "--nat", spec(protocol, router), "4443:8443")
    first = start(*words)
    first.wait_for("mapping.added")
    second = start(*words)
    (added,) = second.wait_for("mapping.added")
    assert (added["external_port"], added["reason"]) == (4443, f"another portmap (process {first.pid}) holds it, too")
    first.stop()
    (removed,) = first.wait_for("mapping.removed")
    assert removed["reason"] == f"left open for another portmap (process {second.pid})"
    assert [entry.external_port for entry in router.entries] == [4443]
    second.wait_for("mapping.renewed")  # at once: the lease that the other one asked for may have been shorter
    assert not second.events("mapping.lost", "mapping.failed", "gateway.rebooted")
    second.stop()
    assert router.entries == ()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_second_to_end_leaves_it_just_as_well(router: Router, start: Start, protocol: str) -> None:
    words = ("-4", "--nat", spec(protocol, router), "8443")
    first = start(*words)
    first.wait_for("mapping.added")
    second = start(*words)
    second.wait_for("mapping.added")
    second.stop()
    assert [entry.external_port for entry in router.entries] == [8443]
    first.stop()
    assert router.entries == ()


def test_two_that_end_at_the_same_time_leave_nothing(router: Router, start: Start) -> None:
    words = ("--nat", spec("pmp", router), "8443/both")
    both = [start(*words), start(*words)]
    for process in both:
        process.wait_for("mapping.added", count=2)
    for process in both:
        process.ask_to_stop()
    for process in both:
        process.wait()
    assert router.entries == ()


def test_different_protocols_to_one_gateway_are_the_same_mapping(router: Router, start: Start) -> None:
    first = start("-4", "--nat", spec("pmp", router), "8443")
    first.wait_for("mapping.added")
    second = start("-4", "--nat", spec("upnp", router), "8443")
    second.wait_for("mapping.added", "mapping.failed")
    second.stop()
    assert [entry.external_port for entry in router.entries] == [8443]


def test_a_portmap_that_was_killed_holds_nothing(router: Router, start: Start) -> None:
    words = ("--nat", spec("pmp", router), "8443")
    first = start(*words)
    first.wait_for("mapping.added")
    second = start(*words)
    second.wait_for("mapping.added")
    first.stop(signal.SIGKILL)
    second.stop()
    assert router.entries == ()


@as_root
@on_linux
def test_another_user_counts_as_well(router: Router, start: Start) -> None:
    words = ("--nat", spec("pmp", router), "8443")
    first = start(*words, other_user=True)
    first.wait_for("mapping.added")
    second = start(*words)
    (added,) = second.wait_for("mapping.added")
    assert added["reason"] == f"another portmap (process {first.pid}) of another user holds it, too"
    second.stop()
    assert [entry.external_port for entry in router.entries] == [8443]
    first.stop()
    assert router.entries == ()


@as_root
@on_linux
def test_a_refusal_says_that_another_users_portmap_holds_the_port(router: Router, start: Start) -> None:
    words = ("-4", "--nat", spec("pcp", router), "8443")
    first = start(*words)
    first.wait_for("mapping.added")
    second = start(*words, other_user=True)  # it is not told the nonce
    (failed,) = second.wait_for("mapping.failed")
    assert failed["reason"].startswith(f"another portmap (process {first.pid}) holds the port: PCP ")
    second.stop()
    assert [entry.external_port for entry in router.entries] == [8443]


def test_a_session_of_the_library_leaves_a_mapping_to_a_process(router: Router, start: Start) -> None:
    process = start("--nat", spec("pmp", router), "8443")
    process.wait_for("mapping.added")
    with portmap.open(f"pmp:{router.address}", ["8443"]) as session:
        session.wait(10)
    assert [entry.external_port for entry in router.entries] == [8443]


def test_two_sessions_of_one_process_share_a_mapping(router: Router) -> None:
    with portmap.open(f"pmp:{router.address}", ["8443"]) as outer:
        outer.wait(10)
        with portmap.open(f"pmp:{router.address}", ["8443"]) as inner:
            inner.wait(10)
        assert [entry.external_port for entry in router.entries] == [8443]
    assert router.entries == ()


def test_a_port_that_another_portmap_has_elsewhere_is_not_called_taken(router: Router) -> None:
    with portmap.open(spec("pmp", router), ["8443:8080"]) as outer:
        outer.wait(10)
        with (
            portmap.open(spec("pmp", router), ["8080"], on_conflict="fail") as inner,
            pytest.raises(Conflict, match="gave port 8443 instead of 8080: another session of this process holds"),
        ):
            inner.wait(10)
        assert [entry.external_port for entry in router.entries] == [8443]


def test_a_one_shot_call_does_not_delete_what_a_session_holds(router: Router) -> None:
    with portmap.open(f"pmp:{router.address}", ["8443"]) as session:
        session.wait(10)
        portmap.load(f"pmp:{router.address}").delete_mapping(Protocol.TCP, 8443, 8443)
        assert [entry.external_port for entry in router.entries] == [8443]


def test_a_mapping_that_another_portmap_deleted_is_made_again_at_once(
    router: Router, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = start("--nat", spec("pmp", router), "8443")
    process.wait_for("mapping.added")
    unseen = portmap.load(f"pmp:{router.address}")
    monkeypatch.setattr(PortClaims, "other_holder", lambda *_: None)  # as where the two do not see each other
    unseen.delete_mapping(Protocol.TCP, 8443, 8443)
    process.wait_for("mapping.renewed", "mapping.added", count=2)
    assert [entry.external_port for entry in router.entries] == [8443]
