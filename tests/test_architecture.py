"""Who may import whom, and other laws that the code itself can be asked about (design.md, "The house")."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CORE = ROOT / "core" / "portmap"
PLUGINS = sorted(path for path in (ROOT / "plugins").glob("*/portmap_*") if path.is_dir())

# Each module may import what stands in the rows above its own, or left of it.
STOREYS = (
    ("errors", "model", "events", "pinhole", "durations", "tomllines", "tomltable", "notify", "summary"),
    ("endpoints", "publication", "convergence"),
    (
        "spec",
        "requests",
        "lease",
        "leasebook",
        "pairs",
        "turns",
        "presence",
        "news",
        "ledger",
        "calm",
        "locking",
        "journal",
        "state",
        "holdings",
        "notice",
        "board",
        "audience",
        "answers",
    ),
    ("gateways", "links", "record", "iptrack", "family", "node"),
    ("hookspecs", "inbox", "limit", "worker"),
    ("plugins",),
    ("nat",),
    ("policy", "road", "field", "heat", "race", "jointwatch", "holders", "publishing", "office", "sweeper", "clerk"),
    ("registrar",),
    ("config", "configfile", "changes"),
    ("builtin", "nonat", "lookout", "keeper"),
    ("loop",),
    ("scribe", "static", "paths"),
    ("dispatch",),
    ("session",),
    ("opening",),
    ("bell", "aio"),
)
ORDER = [module for storey in STOREYS for module in storey]
# What a plugin may build on.
PUBLIC = {"errors", "model", "events", "pinhole", "endpoints", "hookspecs", "gateways", "nat", "node", "wire"}
LIBRARIES = {"upnp": {"miniupnpc"}, "natpmp": {"natpmp"}, "enr": {"cryptography", "Crypto"}}  # others: none
PROTOCOL_NAMES = {"upnp", "pmp", "natpmp", "nat-pmp", "extip"}
MAX_LINES = 250
STUBS = {"_typeshed"}  # the standard library's, imported for annotations only


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, `from portmap import x` as portmap.x."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} imports relatively"
            if node.module == "portmap":
                yield from (f"portmap.{alias.name}" for alias in node.names)
            else:
                yield node.module or ""


def strangers(path: Path) -> set[str]:
    """The packages that a file imports beside the standard library and portmap."""
    packages = {name.partition(".")[0] for name in imports(path)}
    return packages - sys.stdlib_module_names - {"portmap"} - STUBS


def modules(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def names(path: Path) -> str:
    return str(path.relative_to(ROOT))


def logic() -> list[Path]:
    """The modules of the core proper: not the command, not the tools for tests, not the lazy front."""
    return [path for path in CORE.glob("*.py") if path.stem not in {"__init__", "__main__"}]


@pytest.mark.parametrize("path", logic(), ids=lambda path: path.stem)
def test_a_module_imports_only_what_lies_below_it(path: Path) -> None:
    below = ORDER[: ORDER.index(path.stem)]
    allowed = {f"portmap.{module}" for module in below}
    if path.stem == "hookspecs":
        allowed |= {"portmap.endpoints", "portmap.events", "portmap.node"}  # for annotations
    assert {name for name in imports(path) if name.startswith("portmap")} <= allowed


def test_every_module_has_its_place() -> None:
    assert sorted(path.stem for path in logic()) == sorted(ORDER)


@pytest.mark.parametrize("path", logic(), ids=lambda path: path.stem)
def test_the_core_stands_on_the_standard_library_and_pluggy(path: Path) -> None:
    assert strangers(path) <= {"pluggy"}


@pytest.mark.parametrize("path", modules(CORE / "wire"), ids=names)
def test_the_wire_tools_know_addresses_and_errors_and_nothing_else(path: Path) -> None:
    used = {name.split(".")[1] for name in imports(path) if name.startswith("portmap.")}
    assert used <= {"errors", "model", "gateways", "wire"}
    assert not strangers(path)


@pytest.mark.parametrize("path", modules(CORE / "cli"), ids=names)
def test_only_the_command_knows_typer(path: Path) -> None:
    allowed = {"prometheus_client"} if path.stem == "metrics" else set()  # the extra [metrics]: only there, and lazily
    assert strangers(path) <= {"typer"} | allowed


@pytest.mark.parametrize(
    ("imported", "not_imported"),
    [
        ("portmap.testing", "pytest"),  # the demo runs the simulated router where no pytest is
        ("portmap.testing.scripted", "pytest"),
        ("portmap.session", "typer"),  # a library's user pays for no command line
        ("portmap", "pluggy"),
        ("portmap.cli.metrics", "prometheus_client"),  # an extra
        ("portmap.opening", "asyncio"),  # of aopen only
        ("portmap.cli", "portmap.session"),  # --version and Tab pay for neither
        ("portmap.cli.hold", "portmap.session"),  # what was asked for is said before that is imported
    ],
)
def test_nobody_pays_for_what_is_not_used(imported: str, not_imported: str) -> None:
    program = f"import sys, {imported}; sys.exit({not_imported!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=30).returncode == 0


@pytest.mark.parametrize("path", modules(CORE), ids=names)
def test_the_core_imports_no_plugin_and_names_none(path: Path) -> None:
    assert not [name for name in imports(path) if name.startswith("portmap_")]
    if "testing" in path.parts or "cli" in path.parts:
        return  # a simulated router speaks protocols; the command's help gives examples
    said = {node.value for node in ast.walk(tree(path)) if isinstance(node, ast.Constant)}
    assert not said & PROTOCOL_NAMES


@pytest.mark.parametrize("folder", PLUGINS, ids=lambda folder: folder.name)
def test_a_plugin_builds_on_public_names_its_library_and_itself(folder: Path) -> None:
    allowed = LIBRARIES.get(folder.parent.name, set()) | {folder.name}
    for path in modules(folder):
        assert strangers(path) <= allowed, path
        used = {name.split(".")[1] for name in imports(path) if name.startswith("portmap.")}
        assert used <= PUBLIC, path


@pytest.mark.parametrize("path", [*modules(CORE), *(path for folder in PLUGINS for path in modules(folder))], ids=names)
def test_a_module_states_its_law_and_keeps_its_size(path: Path) -> None:
    assert ast.get_docstring(tree(path)), "a file states its law on top"
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES, "this is probably two modules"
