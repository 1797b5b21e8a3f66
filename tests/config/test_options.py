"""One row is an option: what the command line, the environment, the file and the reference say agrees with the rows."""

import ast
import inspect
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import typer

import portmap
from portmap.cli.parser.app import app
from portmap.config.file import KEYS, parse_config
from portmap.config.options import HOLDING, OPTIONS, SETTINGS, VARIABLES, OptionRow, Value
from portmap.config.settings import Instance, SettingsLayer, environment_layer, flags_layer, resolve
from portmap.host.environment import WITHHELD

ROOT = Path(__file__).parents[2]
REFERENCE = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
TABLE = REFERENCE.partition("## Options, variables, the file")[2].partition("A duration is")[0]
OF_TYPER = {"--version", "-V", "--install-completion", "--show-completion", "--help", "-h"}
OF_RUN = {"--wait", "--anyway"}
# A value for each kind of option, as its text is written.
SAMPLES = {
    "nat": "upnp",
    "beyond": "pmp:192.168.0.1",
    "interface": "eth1",
    "lease": "2h",
    "ip_interval": "30s",
    "publish": "file:ports.txt",
    "state": "/srv/portmap",
    "on_conflict": "fail",
    "prove": "https://echo.example.org",
}
# Settings that other commands take, too, or that decide how a session is begun.
SEEN_ELSEWHERE = {"nat", "interface", "lease", "publish", "state", "ipv4", "ipv6", "allow_private"}
BY_NAME = [pytest.param(option, id=option.name) for option in SETTINGS]
WITH_VARIABLE = [pytest.param(option, id=option.name) for option in SETTINGS if option.variable]


def flags_of(command: str) -> set[str]:
    """The flags that a command takes."""
    found: Any = typer.main.get_command(app)
    for word in command.split()[command.startswith("portmap") :]:
        found = found.commands[word]
    return {flag for param in found.params for flag in param.opts if flag.startswith("-")}


def cells(column: int) -> set[str]:
    """All code in a column of the reference's table."""
    rows = [line for line in TABLE.splitlines() if line.startswith("|")][2:]
    return {code for row in rows for code in re.findall(r"`([^`]*)`", row.replace(r"\|", "/").split("|")[column + 1])}


def sample(option: OptionRow) -> str | bool:
    """A value that differs from the default; for a switch whether it is set."""
    return SAMPLES.get(option.name, option.value is Value.SWITCH)


def in_toml(option: OptionRow) -> str:
    value = sample(option)
    text = str(value).lower() if isinstance(value, bool) else f"'{value}'"
    return f"{option.name} = [{text}]\n" if option.value is Value.TEXTS else f"{option.name} = {text}\n"


@pytest.mark.parametrize("command", HOLDING)
def test_a_command_has_the_flags_of_its_rows_and_no_other(command: str) -> None:
    rows = {flag for option in OPTIONS.values() if command in option.commands for flag in option.flags}
    others = OF_RUN if command == "run" else set()
    assert flags_of(command) - OF_TYPER == rows | others


def test_the_reference_names_the_flags_of_the_rows_and_no_other() -> None:
    told = {re.split(r"[ =]", code)[0] for code in cells(0)} - {"MAPPING", "--version"}
    assert told == {
        next((flag for flag in option.flags if flag[:2] == "--"), option.flags[0]) for option in OPTIONS.values()
    }


def test_the_reference_names_the_variables_of_the_rows_and_no_other() -> None:
    assert cells(1) == {*VARIABLES, "NO_COLOR"}


def test_the_reference_names_the_keys_of_the_rows_and_no_other() -> None:
    assert {code.partition(" ")[0] for code in cells(2)} == {*KEYS, "[[map]]"}


def test_a_default_in_help_is_that_of_the_reference() -> None:
    told = cells(3)
    assert {option.default for option in SETTINGS if option.default} - told == {"the XDG state folder"}


@pytest.mark.parametrize("option", BY_NAME)
def test_a_setting_is_a_field_and_a_keyword_of_open_with_one_default(option: OptionRow) -> None:
    settled = getattr(Instance(name="x"), option.name)
    keyword = inspect.signature(portmap.open).parameters[option.name]
    assert settled == keyword.default
    if option.default and settled is not None:
        assert option.parse(option.default, "the default") == settled


def test_every_field_is_a_setting() -> None:
    names = {option.name for option in SETTINGS} | {"mappings"}
    assert set(SettingsLayer._fields) == names
    assert {field.name for field in fields(Instance)} == names | {"name"}


@pytest.mark.parametrize("option", BY_NAME)
def test_the_file_and_the_flag_of_a_setting_mean_the_same(option: OptionRow) -> None:
    value = sample(option)
    given = True if isinstance(value, bool) else [value] if option.value is Value.TEXTS else value
    (instance,) = parse_config(f"{in_toml(option)}[[map]]\nport = 80\n").instances
    (other,) = resolve(flags_layer({option.name: given}, []))
    assert getattr(instance, option.name) == getattr(other, option.name)
    assert getattr(instance, option.name) != getattr(Instance(name="x"), option.name)


@pytest.mark.parametrize("option", WITH_VARIABLE)
def test_the_variable_and_the_flag_of_a_setting_mean_the_same(option: OptionRow) -> None:
    value = sample(option)
    given = [value] if option.value is Value.TEXTS else value
    assert environment_layer({option.variable: str(value)}) == flags_layer({option.name: given}, [])


def test_no_program_inherits_a_variable_that_may_hold_a_password() -> None:
    secret = {option.variable for option in SETTINGS if option.secret}
    assert {name for name in WITHHELD if name.startswith("PORTMAP_")} == secret


@pytest.mark.parametrize("option", [pytest.param(option, id=option.name) for option in OPTIONS.values()])
def test_the_words_of_a_unit_are_read_as_they_were_given(option: OptionRow) -> None:
    command: Any = typer.main.get_command(app)
    unit = command.commands["service"].commands["print"]
    samples = {"for_": "2h", "config": "x.toml", "metrics": "9100"}
    given: object = samples.get(option.name) or SAMPLES.get(option.name) or True
    given = [given] if option.value is Value.TEXTS else 2 if option.value is Value.COUNT else given
    context = unit.make_context("print", option.words(given), resilient_parsing=True)
    read = context.params[option.name]
    assert (list(read) if option.value is Value.TEXTS else read) == given


@pytest.mark.parametrize("name", sorted({option.name for option in SETTINGS} - SEEN_ELSEWHERE))
def test_a_setting_reaches_a_session_through_three_files(name: str) -> None:
    """The row, the field, the keyword; only what obeys the setting names it besides."""
    core = ROOT / "core" / "portmap"
    folders = [core / "cli" / "hold", core / "cli" / "parser", core / "config"]
    road = [*(path for folder in folders for path in folder.glob("*.py")), core / "session" / "open.py"]
    naming = {str(path.relative_to(core)) for path in road if name in _names_in(path)}
    assert naming == {"config/options.py", "config/settings.py", "session/open.py"}


def _names_in(path: Path) -> set[str]:
    """The names, attributes, keywords and texts in a module."""
    named = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.keyword(arg=str(name)) | ast.arg(arg=name):
                named.add(name)
            case ast.Constant(value=str(text)):
                named.add(text)
    return named
