"""The documents are held to the code: what they show is run, what they name exists, what exists is named."""

import ast
import contextlib
import inspect
import io
import re
import tomllib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import typer
from tests.docs.blocks import DOCUMENTS, ROOT, Block, CommandLine, blocks, command_lines, commands_in, prose, steps
from tests.docs.house_map import folders, with_map
from tests.docs.normalise import normal, pattern_of
from tests.docs.parser import is_command, understand
from tests.docs.picture import COMMAND, PICTURE, demo, shown_in
from tests.docs.simulated_lan import Stage

from portmap import __version__, events
from portmap.cli import exit_codes
from portmap.cli.config_file import load_config
from portmap.cli.hold.metrics import Metrics
from portmap.cli.hold.run import environment_of
from portmap.cli.parser.app import EXAMPLES, app
from portmap.config.file import KEYS, MAP_KEYS, ConfigError
from portmap.endpoints import OpenPort
from portmap.errors import PortmapError
from portmap.events import Event
from portmap.hookspecs import BACKENDS, PUBLISHERS, BackendSpec, PublisherSpec
from portmap.loading.catalog import Catalogue, validate_hooks
from portmap.model import Mapping, Protocol, Scope
from portmap.simulator.quirk_options import table_markdown
from portmap_publish.command import environment
from portmap_publish.port_changes import PortChange

README, CONTRIBUTING, CHANGELOG = (
    (ROOT / name).read_text() for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
)
REFERENCE, PLUGINS, QUIRKS = ((ROOT / "docs" / f"{name}.md").read_text() for name in ("reference", "plugins", "quirks"))


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as running:
        yield running


# What is shown ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", blocks("console"), ids=str)
def test_a_console_block_shows_what_its_commands_print(block: Block, stage: Stage) -> None:
    stage.write_files(block.document)
    told = steps(block.text)
    after = [command for command, _ in told[1:]] + [""]
    for (command, shown), (output, code), follows in zip(told, stage.play(block.text), after, strict=True):
        printed = normal(output)
        assert re.fullmatch(pattern_of(shown), printed), f"$ {command}\n{printed}--- is shown as\n{normal(shown)}"
        assert not code or "echo $?" in command + follows, f"$ {command}: the exit code {code} is not told"


def test_the_picture_shows_what_the_demo_prints() -> None:
    command, *shown = shown_in(PICTURE.read_text(encoding="utf-8"))
    assert command == COMMAND
    assert normal("\n".join(shown)) == normal("\n".join(demo())), "draw it anew: python -m tests.docs.picture"


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_a_python_block_runs(block: Block, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(stage.folder)
    names: dict[str, Any] = {"__name__": "example"}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(stage.real(block.text), str(block), "exec"), names)  # noqa: S102  # our own documents
    for name, group in (("Acme", BACKENDS), ("Beacon", PUBLISHERS)):
        if name in names:
            validate_hooks(names[name].from_argument("host" if group == PUBLISHERS else None), group, str(block))


@pytest.mark.parametrize("block", blocks("toml"), ids=str)
def test_a_toml_block_is_a_configuration_or_names_entry_points(block: Block, tmp_path: Path) -> None:
    table = tomllib.loads(block.text)
    if "project" in table:
        assert table["project"]["entry-points"].keys() <= {BACKENDS, PUBLISHERS}
        return
    path = tmp_path / "portmap.toml"
    path.write_text(block.text)
    with pytest.raises(ConfigError) if "broken" in block.text else contextlib.nullcontext():
        load_config(path)


# What is written to be typed -------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", list(command_lines()), ids=str)
def test_a_command_line_is_understood(line: CommandLine) -> None:
    if not (line.inline and is_command(line.words)):
        understand(line.words)


def test_every_example_in_the_help_is_understood() -> None:
    for line in re.findall(r"^  (portmap .*?)(?:   .*)?$", EXAMPLES, re.MULTILINE):
        for words in commands_in(line):
            understand(words)


@pytest.mark.parametrize(
    "words", [["nonsense"], ["--no-such-option"], ["ip", "--nat", "unknown"], ["run", "80"]], ids=" ".join
)
def test_what_is_no_command_line_is_not_understood(words: list[str]) -> None:
    with pytest.raises((PortmapError, typer.TyperException, AssertionError)):
        understand(words)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_a_link_leads_somewhere(path: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#:\s]*)#?([^)\s]*)\)", prose(path)):
        file = path.parent / target if target else path
        assert file.exists(), f"{path.name} links to {target}"
        assert not anchor or anchor in anchors(file), f"{path.name} links to {target}#{anchor}"


def anchors(path: Path) -> set[str]:
    """The headings of a document as a forge makes them targets."""
    headings = re.findall(r"^#+ (.*)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("block", blocks(), ids=str)
def test_a_block_says_what_it_is(block: Block) -> None:
    assert block.language in {"console", "python", "toml", "sh", "yaml", "dockerfile", "conf", "text"}


# What exists is named --------------------------------------------------------------------------------------------


def test_the_table_of_quirks_is_the_real_one() -> None:
    assert table_markdown().strip() in QUIRKS


@pytest.mark.parametrize("spec", [BackendSpec, PublisherSpec])
def test_every_hook_is_told_with_its_arguments(spec: type) -> None:
    for name, hook in inspect.getmembers(spec, inspect.isfunction):
        arguments = ", ".join(list(inspect.signature(hook).parameters)[1:])
        assert f"`{name}({arguments})`" in PLUGINS


def test_every_attribute_of_the_plugin_authors_guide_is_told() -> None:
    guide = inspect.getdoc(inspect.getmodule(BackendSpec)) or ""
    declared = re.findall(r"(\w+): ClassVar", guide) + re.findall(r"def (\w+_from_argument)", guide)
    assert len(declared) > 5
    for name in declared:
        assert f"`{name}`" in PLUGINS


def test_the_exit_codes_are_the_real_ones() -> None:
    real = {value for name, value in vars(exit_codes).items() if name.isupper() and isinstance(value, int)} - {
        exit_codes.FAULT
    }
    for text in (REFERENCE, EXAMPLES):
        told = re.search(r"Exit codes: (.*?)(;|\.)", text, re.DOTALL)
        assert told is not None
        assert {int(number) for number in re.findall(r"\d+", told[1])} == real


@pytest.mark.parametrize("group", [BACKENDS, PUBLISHERS])
def test_every_installed_name_is_told(group: str) -> None:
    ours = [plugin for plugin in Catalogue(group).plugins if plugin.distribution == "portmap-nat"]
    for name in (name for plugin in ours for name in plugin.names):
        assert re.search(rf"`{name}[`:]", REFERENCE), name


def test_every_event_is_told() -> None:
    for kind in vars(events).values():
        if isinstance(kind, type) and issubclass(kind, Event) and hasattr(kind, "_event"):
            names = (
                [f"{port}.{kind._event}" for port in ("mapping", "pinhole")]
                if issubclass(kind, events.PortEvent)
                else [kind._event]
            )
            assert all(f"`{name}`" in REFERENCE for name in names)


def test_every_scope_is_told() -> None:
    for scope in Scope:
        assert f"| `{scope}` |" in REFERENCE


def test_every_command_is_told() -> None:
    root: Any = typer.main.get_command(app)
    for name in root.commands:
        assert f"portmap {name}" in README + REFERENCE, name


def test_every_option_of_the_bare_form_is_told() -> None:
    root: Any = typer.main.get_command(app)
    for option in (name for param in root.params for name in param.opts if name.startswith("--")):
        if "completion" not in option:
            assert f"`{option}" in REFERENCE, option


def test_every_key_of_the_file_is_told_and_no_other() -> None:
    keys = re.search(
        r"At the top and in an `\[\[instance\]\]`: (.*?);.*`\[\[instance.map\]\]`: (.*?)\.", REFERENCE, re.DOTALL
    )
    assert keys is not None
    assert set(re.findall(r"`(\w+)`", keys[1])) == set(KEYS)
    assert set(re.findall(r"`(\w+)`", keys[2])) == set(MAP_KEYS)


def test_every_word_and_variable_for_a_program_is_told() -> None:
    words = PortChange("added", OpenPort(Protocol.TCP, 80, 80)).words()
    mapping = Mapping(Protocol.TCP, 8080, 80, 600)
    told = {*(f"{{{word}}}" for word in words), *environment(words), *environment_of([mapping], "")}
    for name in told:
        assert f"`{name}`" in REFERENCE, name


def test_every_metric_is_told() -> None:
    families = list(Metrics().collect())
    real = {f"{family.name}{'_total' if family.type == 'counter' else ''}" for family in families}
    assert set(re.findall(r"`(portmap_\w+)`", REFERENCE)) == real


def test_the_changelog_is_about_this_version() -> None:
    headings = re.findall(r"^## (.*)", CHANGELOG, re.MULTILINE)
    assert __version__ in headings[0]


def test_the_map_in_contributing_is_that_of_the_folders() -> None:
    assert with_map(CONTRIBUTING) == CONTRIBUTING, "write it anew: python -m tests.docs.house_map"


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/walk.md"])
def test_every_module_that_a_page_names_exists(page: str) -> None:
    named = set(re.findall(r"`((?:[a-z_]+/)+[a-z_]+)`", (ROOT / page).read_text()))
    roots = (ROOT / "core" / "portmap", ROOT)
    assert named
    assert not {
        name for name in named if not any((root / f"{name}.py").exists() or (root / name).is_dir() for root in roots)
    }


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: folder.name)
def test_the_docstring_of_a_folder_names_every_file_in_it(folder: Path) -> None:
    text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
    files = {path.stem for path in folder.glob("*.py")} - {"__init__", "__main__"}
    parts = {f"{path.parent.name}/" for path in folder.glob("*/__init__.py")}
    assert {line.split()[0] for line in text.splitlines() if line} >= files | parts


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"].values()
    wanted = [*project["project"]["dependencies"], *project["build-system"]["requires"], *chain(*extras)]
    table = CONTRIBUTING.partition("## Dependencies")[2]
    for name in {re.split(r"[^\w-]", requirement)[0] for requirement in wanted} - {"portmap-nat"}:
        assert re.search(rf"\b{name}\b", table), name
