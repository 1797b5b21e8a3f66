"""Every end is clean: of a session that was not closed, of twenty sessions, of a terminal, of a time without a port."""

import gc
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import portmap
from portmap.testing import Quirks, Router, loopback_address

posix = pytest.mark.skipif(os.name != "posix", reason="terminals and SIGHUP are POSIX")


@pytest.fixture
def router() -> Iterator[Router]:
    with Router(loopback_address()) as simulated:
        yield simulated


def until(holds: Callable[[], object], seconds: float = 15.0) -> bool:
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.01)
    return bool(holds())


NEVER_CLOSED = """
import sys, portmap
session = portmap.open(sys.argv[1], ["8080/both"])
session.wait(10)
print(len(session.mappings), "are open", flush=True)
{end}
"""


@pytest.mark.parametrize("end", ["", "raise SystemExit(3)", "1/0"], ids=["end", "exit", "error"])
def test_a_session_that_is_never_closed_cleans_up_at_the_end_of_the_process_and_warns(router: Router, end: str) -> None:
    program = [sys.executable, "-W", "always::ResourceWarning", "-c", NEVER_CLOSED.format(end=end)]
    ended = subprocess.run([*program, f"pmp:{router.address}"], capture_output=True, text=True, check=False, timeout=30)
    assert ended.stdout == "2 are open\n"
    assert router.entries == ()
    assert f"ResourceWarning: <Session NAT-PMP {router.address}, 2 of 2 ports open> was never closed" in ended.stderr


def test_a_session_that_was_closed_warns_of_nothing(router: Router) -> None:
    program = [sys.executable, "-W", "error", "-c", NEVER_CLOSED.format(end="session.close()")]
    ended = subprocess.run([*program, f"pmp:{router.address}"], capture_output=True, text=True, check=False, timeout=30)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("spec", ["pmp:{0}", "pcp:{0}", "upnp:http://{0}:{1}/desc.xml", "pmp:{0},pcp:{0}"])
def test_after_twenty_sessions_no_thread_is_left(router: Router, spec: str) -> None:
    before = set(threading.enumerate())
    named = spec.format(router.address, router.description_url.rpartition(":")[2].partition("/")[0])
    for _ in range(20):
        with portmap.open(named, ["8080"], publish=["exec:true"]) as session:
            session.wait(10)
    del session
    gc.collect()
    assert until(lambda: set(threading.enumerate()) <= before, 5), set(threading.enumerate()) - before


class InTerminal:
    """`portmap` in a terminal of its own, whose window can be closed."""

    def __init__(self, *words: str, log: Path, under_manager: bool = False) -> None:
        environment = {**os.environ, "INVOCATION_ID": "1"} if under_manager else dict(os.environ)
        environment = environment if under_manager else {k: v for k, v in environment.items() if k != "INVOCATION_ID"}
        self.pid, self.window = pty.fork()
        if not self.pid:
            os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT), 2)
            os.execve(sys.executable, [sys.executable, "-m", "portmap", *words], environment)  # noqa: S606  # no shell

    def close_window(self) -> None:
        os.close(self.window)  # the kernel sends SIGHUP

    def exit_code(self) -> int | None:
        found: list[int] = []

        def ended() -> bool:
            if not found and (ended := os.waitpid(self.pid, os.WNOHANG))[0]:
                found.append(os.waitstatus_to_exitcode(ended[1]))
            return bool(found)

        return found[0] if until(ended) else None


@posix
@pytest.mark.parametrize("configured", [False, True], ids=["flags", "--config"])
def test_a_window_that_is_closed_ends_portmap_and_its_mappings(
    router: Router, tmp_path: Path, configured: bool
) -> None:
    file = tmp_path / "portmap.toml"
    file.write_text(f'nat = "pmp:{router.address}"\n[[map]]\nport = 8080\n')
    words = ("--config", str(file)) if configured else ("--nat", f"pmp:{router.address}", "8080")
    program = InTerminal("--state", "none", *words, log=tmp_path / "log")
    assert until(lambda: router.entries)
    program.close_window()
    assert program.exit_code() == 0, (tmp_path / "log").read_text()
    assert router.entries == ()
    assert "Traceback" not in (tmp_path / "log").read_text()


@posix
@pytest.mark.parametrize("configured", [False, True], ids=["flags", "--config"])
def test_without_a_terminal_sighup_reloads_where_there_is_a_file_and_ends_otherwise(
    router: Router, tmp_path: Path, configured: bool
) -> None:
    file = tmp_path / "portmap.toml"
    file.write_text(f'nat = "pmp:{router.address}"\n[[map]]\nport = 8080\n')
    words = ("--config", str(file)) if configured else ("--nat", f"pmp:{router.address}", "8080")
    command = [sys.executable, "-m", "portmap", "--state", "none", *words]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True) as program:
        assert until(lambda: router.entries)
        file.write_text(file.read_text().replace("8080", "8081"))
        program.send_signal(signal.SIGHUP)
        if configured:
            assert until(lambda: [entry.internal_port for entry in router.entries] == [8081])
            program.terminate()
        assert program.wait(10) == 0
    assert router.entries == ()


@posix
def test_under_a_service_manager_sighup_reloads_in_a_terminal_too(router: Router, tmp_path: Path) -> None:
    file = tmp_path / "portmap.toml"
    file.write_text(f'nat = "pmp:{router.address}"\n[[map]]\nport = 8080\n')
    program = InTerminal("--state", "none", "--config", str(file), log=tmp_path / "log", under_manager=True)
    assert until(lambda: router.entries)
    file.write_text(file.read_text().replace("8080", "8081"))
    os.kill(program.pid, signal.SIGHUP)
    assert until(lambda: [entry.internal_port for entry in router.entries] == [8081])
    os.kill(program.pid, signal.SIGTERM)
    assert program.exit_code() == 0
    os.close(program.window)


def held_for_a_second(spec: str, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "portmap", "--state", "none", "--nat", spec, "--for", "1s", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


def test_a_time_in_which_nothing_was_opened_is_a_failure_with_its_reason() -> None:
    with Router(loopback_address(), quirks=Quirks(pmp_result=2)) as router:
        ended = held_for_a_second(f"pmp:{router.address}", "8080")
    assert ended.returncode == 4
    assert "portmap: nothing was opened: NAT-PMP" in ended.stderr


def test_a_time_in_which_one_port_was_opened_is_a_success() -> None:
    with Router(loopback_address(), quirks=Quirks(high_ports_only=True, no_port_zero=True)) as router:
        assert held_for_a_second(f"pmp:{router.address}", "80", "8080").returncode == 0


def test_a_time_without_a_nat_is_a_success() -> None:
    assert held_for_a_second("none", "8080").returncode == 0
