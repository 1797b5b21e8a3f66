"""Other people's distributions, installed with pip beside our wheel: a good one works, a bad one harms only itself."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.stopwatch import Stopwatch

ROOT = Path(__file__).parents[1]
THIRD_PARTY = ROOT / "tests" / "thirdparty"
PORT = 24680  # the contract's favourite: no program needs to listen there
NETWORK_OF_ITS_OWN = ("unshare", "--net", "--map-root-user", "sh", "-c")
LO_UP = "ip link set lo up"
pytestmark = pytest.mark.timeout(300)


class Environment:
    """A virtual environment, and the commands in it. None of them sees the checkout."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self._variables = {"PATH": f"{self.bin}:{os.environ['PATH']}", "PYTHONDONTWRITEBYTECODE": "1"}
        self._variables |= {name: os.environ[name] for name in ("HOME", "PIP_INDEX_URL") if name in os.environ}

    def run(self, *command: str, code: int = 0, cwd: Path | None = None) -> str:
        """What the command prints, on both streams; it must end with that exit code."""
        with self.start(*command, cwd=cwd, stderr=subprocess.STDOUT) as ran:
            printed, _ = ran.communicate(timeout=120)
        assert ran.returncode == code, printed
        return printed

    def start(self, *command: str, stderr: int | None = None, cwd: Path | None = None) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            command,
            env=self._variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            cwd=cwd or self.folder,
        )

    def pip(self, *words: str) -> None:
        """By the tests' own pip: to give the environment another takes seconds."""
        pip = (sys.executable, "-m", "pip", "--python", str(self.bin / "python"))
        self.run(*pip, "-q", "--disable-pip-version-check", *words)

    def events(self, *words: str, code: int = 0) -> list[dict[str, Any]]:
        """What `portmap --json …` tells; it must end with that exit code."""
        printed = self.run("portmap", "--json", *words, code=code)
        return [json.loads(line) for line in printed.splitlines() if line.startswith("{")]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    folder = tmp_path_factory.mktemp("third") / "venv"
    build = (sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder.parent), str(ROOT))
    with subprocess.Popen(build, stdout=subprocess.DEVNULL, cwd="/") as building:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        assert building.wait(120) == 0
    made = Environment(folder)
    (wheel,) = folder.parent.glob("*.whl")
    made.pip("install", str(wheel), "pytest", "hatchling")
    made.pip("install", "--no-deps", "--no-build-isolation", *map(str, sorted(THIRD_PARTY.glob("portmap-*"))))
    return made


@pytest.fixture
def acme_port(environment: Environment) -> Iterator[int]:
    """Where an Acme router listens, on loopback."""
    with environment.start("python", "-m", "portmap_acme.router", "127.0.0.1", "0") as router:
        assert router.stdout is not None
        yield int(router.stdout.readline())
        router.terminate()


def table_of(environment: Environment, port: int) -> str:
    asking = f"from portmap_acme.protocol import ask; print(*ask(('127.0.0.1', {port}), 'LIST'))"
    return environment.run("python", "-c", asking).strip()


# The good one.


def test_its_own_contract_test_passes(environment: Environment) -> None:
    printed = environment.run(
        "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=THIRD_PARTY / "portmap-acme"
    )
    assert " passed" in printed
    assert "failed" not in printed


def test_the_command_maps_through_it_and_leaves_nothing_behind(environment: Environment, acme_port: int) -> None:
    events = environment.events("--nat", f"acme:127.0.0.1:{acme_port}", "--for", "1s", f"443:{PORT}/both")
    opened = [event for event in events if event["event"] == "mapping.added"]
    assert {(it["protocol"], it["external_port"], it["external_ip"]) for it in opened} == {
        ("TCP", 443, "203.0.113.1"),
        ("UDP", 443, "203.0.113.1"),
    }
    assert table_of(environment, acme_port) == ""


def test_its_router_holds_the_mapping_while_the_library_does(environment: Environment, acme_port: int) -> None:
    program = f"""
import portmap
from portmap_acme.protocol import ask

with portmap.open("acme-port-protocol:127.0.0.1:{acme_port}", ["{PORT}"]) as session:
    (mapping,) = session.wait(10)
    print(session.gateway, mapping.external_port, *ask(("127.0.0.1", {acme_port}), "LIST"))
"""
    printed = environment.run("python", "-c", program).strip()
    assert printed == f"Acme 127.0.0.1 {PORT} TCP/{PORT}/127.0.0.1/{PORT}/600"
    assert table_of(environment, acme_port) == ""


def test_a_router_that_is_not_there_is_no_gateway(environment: Environment) -> None:
    assert "no Acme router at 127.0.0.1:1" in environment.run("portmap", "ip", "--nat", "acme:127.0.0.1:1", code=3)


# The bad ones.

REASONS = {
    "unimportable": "portmap-unimportable 0.0.1) cannot be imported: ImportError: libfrobnicate",
    "hookless": "portmap-hookless 0.0.1) lacks the hook delete_mapping",
    "exiting-import": "portmap-exiting 0.0.1) cannot be imported: SystemExit",
}
AT_WORK = {
    "nonsense": "answered 'here and there' where an address was due",
    "exiting": "raised SystemExit",
    "exiting-parser": "raised SystemExit",
}


def test_the_lists_name_the_broken_ones_with_the_reason_and_all_the_others(environment: Environment) -> None:
    backends = {
        name: row
        for row in json.loads(environment.run("portmap", "plugins", "--json"))["plugins"]
        for name in row["names"]
    }
    assert {name for name, row in backends.items() if row["status"] == "broken"} == set(REASONS)
    for name, reason in REASONS.items():
        assert reason in backends[name]["reason"]
    assert backends["acme"]["hooks"] == ["external_ip", "add_mapping", "delete_mapping"]
    assert (backends["acme"]["distribution"], backends["acme"]["version"]) == ("portmap-acme", "1.2.0")
    table = environment.run("portmap", "backends")
    assert all(text in table for text in (*REASONS.values(), "acme, acme-port-protocol", "nat-pmp"))


@pytest.mark.parametrize(("name", "reason"), (REASONS | AT_WORK).items(), ids=REASONS | AT_WORK)
def test_choosing_it_tells_the_reason_and_ends_with_9(name: str, reason: str, environment: Environment) -> None:
    assert reason in environment.run("portmap", "ip", "--nat", name, code=9)


def test_a_grant_of_nonsense_is_a_failure_with_the_plugins_name_and_no_crash(environment: Environment) -> None:
    events = environment.events("--nat", "odd-grant:1", "--for", "1s", str(PORT), code=9)
    (failed,) = [event for event in events if event["event"] == "mapping.failed"]
    assert failed["error"] == "PluginError"
    assert "portmap-nonsense 0.0.1" in failed["reason"]


def test_a_plugin_that_blocks_for_ever_delays_no_exit(environment: Environment) -> None:
    with Stopwatch() as watch:
        environment.run("portmap", "--nat", "blocking", "--for", "1s", str(PORT), code=7)
    assert watch.seconds < 1 + 3.5


def test_beside_all_of_them_the_others_work(environment: Environment) -> None:
    assert environment.run("portmap", "ip", "--allow-private", "--nat", "extip:203.0.113.9") == "203.0.113.9\n"


# All of them at once. `any` asks the whole network, so that it runs in one of its own.


@pytest.fixture
def in_its_own_network(environment: Environment) -> Environment:
    if shutil.which("unshare") is None or subprocess.run([*NETWORK_OF_ITS_OWN, LO_UP], check=False).returncode:
        pytest.skip("needs network namespaces (root, or user namespaces; Debian packages util-linux and iproute2)")
    return environment


def test_any_takes_the_good_one_among_all_the_bad_ones(in_its_own_network: Environment, tmp_path: Path) -> None:
    program = tmp_path / "beside_a_router.py"
    program.write_text("""
import subprocess
from portmap_acme.router import Router

with Router(port=4711):
    subprocess.run(["portmap", "ip", "--allow-private", "--nat", "any", "--json"], check=True)
""")
    told = json.loads(in_its_own_network.run(*NETWORK_OF_ITS_OWN, f"{LO_UP}; python {program}"))
    assert (told["gateway"], told["external_ip"]) == ("Acme 127.0.0.1", "203.0.113.1")


def test_any_ends_where_no_good_backend_is_installed(in_its_own_network: Environment) -> None:
    with Stopwatch() as watch:
        printed = in_its_own_network.run(*NETWORK_OF_ITS_OWN, f"{LO_UP}; portmap ip --nat any", code=3)
    assert watch.seconds < 8
    assert "nonsense" in printed
    assert "did not answer within" in printed  # the one that blocks


# A new one.


def test_a_new_package_passes_its_own_tests_and_works_as_it_is_written(
    environment: Environment, tmp_path: Path
) -> None:
    environment.run("portmap", "plugins", "new", "fresh-one", "--dir", str(tmp_path))
    folder = tmp_path / "portmap-fresh-one"
    printed = environment.run("python", "-m", "pytest", "-q", cwd=folder)
    assert " passed" in printed
    environment.pip("install", "--no-deps", "--no-build-isolation", str(folder))
    rows = json.loads(environment.run("portmap", "plugins", "--json"))["plugins"]
    (row,) = [row for row in rows if row["names"] == ["fresh-one"]]
    assert (row["status"], row["distribution"]) == ("ok", "portmap-fresh-one")
    events = environment.events("--nat", "fresh-one", "--for", "1s", str(PORT))
    assert "mapping.added" in {event["event"] for event in events}
    environment.pip("uninstall", "-y", "portmap-fresh-one")
