"""`portmap router`: the simulated router as a command, met by clients that we did not write."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import IO, Any, TypeAlias

import pytest

from portmap.simulator.quirk_options import SWITCHES, table_markdown
from portmap.testing import loopback_address


class Command:
    """The command, running on a loopback address of its own."""

    def __init__(self, *words: str) -> None:
        self.address = loopback_address()
        command = [sys.executable, "-m", "portmap", "router", "--address", self.address, *words]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    @property
    def lines(self) -> IO[str]:
        assert self.process.stdout is not None
        return self.process.stdout

    def until(self, pattern: str) -> "re.Match[str]":
        for text in self.lines:
            found = re.search(pattern, text)
            if found:
                return found
        raise AssertionError(f"{pattern} was never printed")

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(5)

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


Run: TypeAlias = Callable[..., Command]


@pytest.fixture
def run() -> Iterator[Run]:
    """Start the command with these words; it ends with the test."""
    with ExitStack() as stack:

        def start(*words: str) -> Command:
            command = Command(*words)
            stack.callback(command.close)
            return command

        yield start


def portmap(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "portmap", "router", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)


def ask(*command: str) -> str:
    """What another client prints; skips where it is not installed."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=False).stdout
    except FileNotFoundError:
        pytest.skip(f"needs {command[0]} (Debian packages miniupnpc and natpmpc)")


def test_natpmpc_maps_and_the_request_is_printed(run: Run) -> None:
    command = run("--pmp")
    command.until("listens  NAT-PMP on UDP port 5351")
    text = ask("natpmpc", "-g", command.address, "-a", "20080", "20081", "tcp", "600")
    assert "Mapped public port 20080 protocol TCP to local port 20081 liftime 600\n" in text
    command.until(r"heard    map from 127\S+ protocol=TCP internal_port=20081 external_port=20080 lifetime=600")


def test_upnpc_maps_and_the_request_is_printed(run: Run) -> None:
    command = run("--upnp", "--igd", "2", "--external-ip", "8.8.4.4")
    url = command.until(r"UPnP IGD:2 at (http://\S+)/desc.xml")[1] + "/desc.xml"
    text = ask("upnpc", "-u", url, "-a", "127.0.0.1", "20081", "20080", "TCP", "600")
    assert "external 8.8.4.4:20080 TCP is redirected to internal 127.0.0.1:20081" in text
    command.until("heard    add from 127.* NewExternalPort=20080")


def test_upnpc_finds_it_by_multicast_on_loopback(run: Run) -> None:
    command = run("--upnp", "--external-ip", "8.8.4.4")
    command.until("searches on UDP port 1900")
    text = ask("upnpc", "-m", command.address, "-s")
    assert f"desc: http://{command.address}:" in text  # in its list: another router may run on this host
    command.until("heard    search from 127")


def test_a_quirk_shows(run: Run) -> None:
    command = run("--pmp", "--quirk", "other_port", "--quirk", "caps_lifetime=60")
    command.until("quirk    caps_lifetime: grants at most")
    text = ask("natpmpc", "-g", command.address, "-a", "20080", "20081", "tcp", "600")
    assert "Mapped public port 21080 protocol TCP to local port 20081 liftime 60\n" in text


def test_json_is_one_object_a_line(run: Run) -> None:
    command = run("--pmp", "--pcp", "--json", "--quirk", "conflict=80")
    started: dict[str, Any] = json.loads(command.lines.readline())
    assert {name: started[name] for name in ("event", "address", "pmp_port", "description_url", "quirks")} == {
        "event": "router.started",
        "address": command.address,
        "pmp_port": 5351,
        "description_url": None,
        "quirks": {"conflict": [80]},
    }
    ask("natpmpc", "-g", command.address)
    heard = json.loads(command.lines.readline())
    assert (heard["v"], heard["event"], heard["request"]) == (1, "router.heard", "address")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_0(run: Run, number: int) -> None:
    command = run()
    command.until("listens  UPnP")
    assert command.end(number) == 0


def test_it_ends_by_itself_when_the_time_is_up() -> None:
    ran = portmap("--address", loopback_address(), "--for", "1s", "--pmp")
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize("address", ["0.0.0.0", "8.8.8.8", "224.0.0.1", "255.255.255.255", "::1", "router"])  # noqa: S104
def test_it_listens_on_no_public_address_and_not_everywhere(address: str) -> None:
    ran = portmap("--address", address, "--for", "1s")
    assert (ran.returncode, ran.stderr.count("\n")) == (2, 1)


@pytest.mark.parametrize(
    "words",
    [["--quirk", "nope"], ["--igd", "3"], ["--outside", "0.0.0.0"], ["--for", "soon"]],  # noqa: S104
)
def test_words_that_make_no_sense_are_usage_errors(words: list[str]) -> None:
    ran = portmap(*words)
    assert (ran.returncode, ran.stderr.count("\n")) == (2, 1)


def test_a_taken_port_is_one_line(run: Run) -> None:
    command = run("--pmp")
    command.until("listens")
    ran = portmap("--pmp", "--address", command.address)
    assert (ran.returncode, ran.stderr.count("\n")) == (1, 1)
    assert "cannot listen" in ran.stderr


def test_list_quirks_prints_the_table() -> None:
    assert portmap("--list-quirks").stdout == table_markdown()


def test_list_quirks_has_a_form_for_programs() -> None:
    told = json.loads(portmap("--list-quirks", "--json").stdout)
    assert [quirk["name"] for quirk in told["quirks"]] == list(SWITCHES)
