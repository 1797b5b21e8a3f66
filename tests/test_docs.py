"""The documents are held to the code: every command block is run, every hook listed, every exit code the real one."""

import contextlib
import inspect
import io
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from portmap.cli import exits
from portmap.cli.app import EXAMPLES
from portmap.cli.group import split_command
from portmap.cli.hold import Wish
from portmap.hookspecs import BACKENDS, PUBLISHERS, BackendSpec, PublisherSpec
from portmap.plugins import Catalogue, validate_hooks
from portmap.testing import Router, loopback_address
from portmap.testing.switches import table_markdown

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
GATEWAY = "192.168.1.1"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.fixture
def router() -> Iterator[Router]:
    with Router(loopback_address()) as simulated:
        yield simulated


@pytest.mark.parametrize("block", blocks("console"), ids=lambda block: block.splitlines()[0][2:])
def test_a_console_block_shows_what_the_command_prints(block: str, router: Router, tmp_path: Path) -> None:
    command, _, shown = block.partition("\n")
    words = shlex.split(command.removeprefix("$ portmap "))
    words = [word.replace(GATEWAY, router.address).replace("KEYFILE", str(tmp_path / "key")) for word in words]
    if words[0] not in {"ip", "demo", "plugins"}:
        words += ["--for", "1s"]
    ran = subprocess.run(
        [sys.executable, "-m", "portmap", *words], capture_output=True, text=True, check=True, timeout=30, cwd=tmp_path
    )
    printed = ran.stdout.replace(router.address, GATEWAY).replace(str(tmp_path / "key"), "KEYFILE")
    assert normal(printed) == normal(shown)


def normal(text: str) -> str:
    """What differs from run to run, made alike: times, loopback addresses, the demo's port, sequence numbers."""
    for pattern, instead in (
        (r"^\d\d:\d\d:\d\d", "TIME"),
        (r"127(\.\d+){3}", "LOOPBACK"),
        (r"\b[3-6]\d{4}\b(?=[ /:\n'])(?<!30303)", "PORT"),
        (r"LOOPBACK:\d+", "LOOPBACK:PORT"),
        (r"(demo[ =])\d+", r"\1PORT"),
        (r"1\.2\.3\.4:(?!30303|443|25565)\d+", "1.2.3.4:PORT"),
        (r"router's port \d+", "router's port PORT"),
        (r"from \d+ s to \d+ s", "from N s to N s"),
        (r"enr:-\S+", "enr:-…"),
        (r'"(ts|seq)":[\d.]+', r'"\1":0'),
    ):
        text = re.sub(pattern, instead, text, flags=re.MULTILINE)
    return text


@pytest.mark.parametrize("block", blocks("python"), ids=lambda block: block.splitlines()[2][:40])
def test_a_python_block_runs(block: str, router: Router) -> None:
    names: dict[str, object] = {"__name__": "example"}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(block.replace(GATEWAY, router.address), "README", "exec"), names)  # noqa: S102  # our own README
    if "Acme" in names:
        acme = names["Acme"]
        assert isinstance(acme, type)
        validate_hooks(acme(), BACKENDS, "the README's backend")


def test_the_table_of_quirks_is_the_real_one() -> None:
    assert table_markdown().strip() in README


@pytest.mark.parametrize("spec", [BackendSpec, PublisherSpec])
def test_every_hook_is_in_the_readme_with_its_arguments(spec: type) -> None:
    for name, hook in inspect.getmembers(spec, inspect.isfunction):
        arguments = ", ".join(list(inspect.signature(hook).parameters)[1:])
        assert f"`{name}({arguments})`" in README


def test_the_readme_and_the_help_tell_the_real_exit_codes() -> None:
    real = {value for name, value in vars(exits).items() if name.isupper() and isinstance(value, int)} - {exits.FAULT}
    for text in (README, EXAMPLES):
        told = re.search(r"Exit codes: (.*?)(;|\.)", text, re.DOTALL)
        assert told is not None
        assert {int(number) for number in re.findall(r"\d+", told[1])} == real


def test_every_example_in_the_help_is_understood() -> None:
    for line in re.findall(r"^  portmap (.*?)(?:   .*)?$", EXAMPLES, re.MULTILINE):
        words = shlex.split(line.partition("|")[0])
        options = {"--nat": "any", "--lease": "10m", "--for": "1s"}
        command, rest = split_command(words, ["ip", "backends", "demo", "plugins", "router"], options)
        assert command == "ip" or Wish.read(*_read(rest, options), state=None, on_conflict="next").requests


def _read(words: list[str], options: dict[str, str]) -> tuple[list[str], str, str, str, list[str], str]:
    mappings = []
    pending = iter(words)
    for word in pending:
        if word in options:
            options[word] = next(pending)
        elif word != "--json":
            mappings.append(word)
    return mappings, options["--nat"], options["--lease"], "60s", [], options["--for"]


def test_every_installed_name_is_in_the_readme() -> None:
    for group in (BACKENDS, PUBLISHERS):
        for plugin in Catalogue(group).plugins:
            for name in plugin.names:
                assert f"`{name}" in README or f"{name}:" in README
