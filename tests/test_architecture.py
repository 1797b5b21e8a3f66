"""The architecture, checked against the code: who may import whom, sizes, names, docstrings."""

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CORE = ROOT / "core" / "portmap"
PLUGINS = sorted(path for path in (ROOT / "plugins").glob("*/portmap_*") if path.is_dir())

# Which wing may import which: a wing imports wings of earlier rows, and itself. A wing is a module or a folder.
ROWS = (
    ("printable",),
    ("errors",),
    ("model", "backoff"),
    ("gateway_names",),
    ("events", "syntax", "network", "host", "simulator"),
    ("endpoints", "node", "storage", "wire"),
    ("hookspecs",),
    ("loading",),
    ("backends", "publishers"),
    ("reachability",),
    ("loop", "doctor"),
    ("dispatch", "config", "testing"),
    ("session",),
    ("__init__",),
    ("scaffold",),
    ("cli",),
    ("__main__",),
)
ROW_OF = {wing: number for number, row in enumerate(ROWS) for wing in row}
# Wings of later rows that a wing imports for annotations only.
ANNOTATIONS = {"__init__": {"session", "dispatch"}}
# Within `cli`, likewise.
CLI_ROWS = (
    ("signals", "terminal", "logs"),
    ("output",),
    ("exit_codes",),
    ("config_file", "state_folder"),
    ("commands", "hold"),
    ("parser",),
    ("__init__",),
)
CLI_ROW_OF = {room: number for number, row in enumerate(CLI_ROWS) for room in row}
# The modules of portmap that a plugin may import.
PUBLIC = {"errors", "model", "events", "endpoints", "hookspecs", "node", "network", "host", "wire"}
PUBLIC_NAMES = {"portmap.load", "portmap.Nat", "portmap.__version__"}
LIBRARIES = {
    "upnp": {"miniupnpc"},
    "natpmp": {"natpmp"},
    "enr": {"cryptography", "Crypto"},
    "torrent": {"qbittorrentapi", "transmission_rpc", "requests"},
}  # others: none
PROTOCOL_NAMES = {"upnp", "pmp", "natpmp", "nat-pmp", "extip"}
MIN_LINES, MAX_LINES = 40, 300
# Modules of under MIN_LINES, each with the reason why it is not a part of another.
SHORT = {
    "core/portmap/__main__.py": "Python asks for this file",
    "core/portmap/backoff.py": "the loop and the publishers share it and nothing else",
    "core/portmap/printable.py": "every wing needs it, and it needs none",
    "core/portmap/cli/hold/reload.py": "imported at the first SIGHUP, and with it what compares settings",
    "core/portmap/storage/no_status_file.py": "a session without a state folder imports nothing of it",
    "core/portmap/backends/any/mapping_owners.py": "a value with one rule, apart from the backend that calls",
    "core/portmap/backends/chain/chain_nat.py": "what the session calls, apart from the hooks of the backend",
    "core/portmap/backends/load.py": "the one function that joins catalogue, constructor and Nat",
    "core/portmap/cli/hold/start.py": "runs before the imports that take time",
    "core/portmap/cli/logs.py": "library users import no logging set-up",
    "core/portmap/cli/terminal.py": "runs before everything else in the command",
    "core/portmap/dispatch/loop_path.py": "one of three paths, a file each",
    "core/portmap/dispatch/none_path.py": "one of three paths, a file each",
    "core/portmap/doctor/diagnosis.py": "the rules need the value, not the list of rules",
    "core/portmap/doctor/probes/nat_type.py": "one of the probes, a file each",
    "core/portmap/host/environment.py": "the command and the publishers share it",
    "core/portmap/loading/construct.py": "backends and publishers are constructed by the same function",
    "core/portmap/doctor/probes/reachability.py": "one of the probes, a file each",
    "core/portmap/reachability/repair_step.py": "the loop imports it, and not what decides on it",
    "core/portmap/reachability/prove_setting.py": "the configuration imports it, and not the prover",
    "core/portmap/reachability/responder/rate_limit.py": "pure, apart from the sockets",
    "core/portmap/reachability/responder/try_port.py": "the only part that connects to others",
    "core/portmap/simulator/loopback.py": "simulated routers, STUN servers and replays share it",
    "core/portmap/storage/file_lock.py": "the only part that depends on the operating system",
    "core/portmap/testing/clock.py": "used alone by tests of the loop",
    "core/portmap/testing/contract/backend.py": "the front of the suite: the promises are in the files beside it",
    "core/portmap/testing/contract/checks.py": "every suite needs it",
    "core/portmap/testing/contract/hostile_input.py": "data",
    "core/portmap/testing/contract/target.py": "the base class that a plugin author writes",
    "core/portmap/wire/clock.py": "imported where sockets are not wanted",
    "core/portmap/wire/token_bucket.py": "pure, apart from the sockets",
    "plugins/natpmp/portmap_natpmp/announcement.py": "pure, apart from the sockets",
    "plugins/natpmp/portmap_natpmp/mapped_host.py": "pure, apart from the sockets",
    "plugins/pcp/portmap_pcp/announcement.py": "pure, apart from the sockets",
    "plugins/pcp/portmap_pcp/settings.py": "every part of the client needs it",
    "plugins/torrent/portmap_torrent/known_cookies.py": "Deluge needs it without requests",
    "plugins/punch/portmap_punch/endpoint.py": "pure, apart from the sockets",
    "plugins/torrent/portmap_torrent/port_choice.py": "pure, apart from the clients",
    "plugins/torrent/portmap_torrent/transmission_library.py": "the only part that imports the library",
    "plugins/upnp/portmap_upnp/argument.py": "pure, apart from the backend",
    "plugins/upnp/portmap_upnp/mapping/internal_client.py": "pure, apart from the calls",
    "plugins/upnp/portmap_upnp/miniupnpc_backend.py": "the only backend that needs the C library",
}
# Class names that two modules of one package may share, each with the reason. None is needed.
SHARED_CLASS_NAMES: dict[str, str] = {}
MAX_ROOT_MODULES = 15
MAX_MODULES = 20
STUBS = {"_typeshed"}  # the standard library's, imported for annotations only


@cache
def nodes(path: Path) -> list[ast.AST]:
    kept = (ast.Import, ast.ImportFrom, ast.ClassDef, ast.Constant)
    return [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, kept)]


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, `from portmap import x` as portmap.x."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} imports relatively"
            if node.module == "portmap":
                yield from (f"portmap.{alias.name}" for alias in node.names)
            else:
                yield node.module or ""


def third_parties(path: Path) -> set[str]:
    """The packages that a file imports beside the standard library and portmap."""
    packages = {name.partition(".")[0] for name in imports(path)}
    return packages - sys.stdlib_module_names - {"portmap"} - STUBS


def modules(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def names(path: Path) -> str:
    return str(path.relative_to(ROOT))


def wing_of(path: Path, root: Path = CORE) -> str:
    """The folder or module directly below `root` that a file belongs to."""
    return path.relative_to(root).parts[0].removesuffix(".py")


def wings_of(path: Path) -> set[str]:
    """The wings of portmap that a file imports, its own left out."""
    return {name.split(".")[1] for name in imports(path) if name.startswith("portmap.")} & ROW_OF.keys() - {
        wing_of(path)
    }


LOGIC = [path for path in modules(CORE) if wing_of(path) not in {"cli", "testing", "simulator", "scaffold"}]


@pytest.mark.parametrize("path", modules(CORE), ids=names)
def test_a_wing_imports_only_wings_of_earlier_rows(path: Path) -> None:
    wing = wing_of(path)
    later = {other for other in wings_of(path) if ROW_OF[other] >= ROW_OF[wing]}
    assert later <= ANNOTATIONS.get(wing, set())


@pytest.mark.parametrize("path", modules(CORE / "cli"), ids=names)
def test_a_part_of_the_command_imports_only_parts_of_earlier_rows(path: Path) -> None:
    room = wing_of(path, CORE / "cli")
    used = {name.split(".")[2] for name in imports(path) if name.startswith("portmap.cli.")} & CLI_ROW_OF.keys()
    assert {other for other in used - {room} if CLI_ROW_OF[other] >= CLI_ROW_OF[room]} <= (
        {"parser"} if room == "__init__" else set()
    )


def test_every_wing_has_its_row() -> None:
    assert {wing_of(path) for path in modules(CORE)} == ROW_OF.keys()


@pytest.mark.parametrize("folder", [CORE, *(path for path in CORE.rglob("*") if path.is_dir())], ids=names)
def test_a_folder_is_small_enough_to_be_read_at_once(folder: Path) -> None:
    assert len(list(folder.glob("*.py"))) <= (MAX_ROOT_MODULES if folder == CORE else MAX_MODULES)


@pytest.mark.parametrize("path", LOGIC, ids=names)
def test_the_core_stands_on_the_standard_library_and_pluggy(path: Path) -> None:
    assert third_parties(path) <= {"pluggy", "netifaces"}


@pytest.mark.parametrize("path", modules(CORE / "wire"), ids=names)
def test_the_wire_tools_know_addresses_and_errors_and_nothing_else(path: Path) -> None:
    used = {name.split(".")[1] for name in imports(path) if name.startswith("portmap.")}
    assert used <= {"errors", "model", "network", "printable", "wire"}
    assert not third_parties(path)


@pytest.mark.parametrize("path", modules(CORE / "cli"), ids=names)
def test_only_the_command_knows_typer(path: Path) -> None:
    allowed = {"prometheus_client"} if path.stem == "metrics" else set()  # the extra [metrics]: only there, and lazily
    assert third_parties(path) <= {"typer"} | allowed


@pytest.mark.parametrize(
    ("imported", "not_imported"),
    [
        ("portmap.testing", "pytest"),  # the demo runs the simulated router where no pytest is
        ("portmap.testing.scripted", "pytest"),
        ("portmap.session.session", "typer"),  # a library's user pays for no command line
        ("portmap", "pluggy"),
        ("portmap.cli.hold.metrics", "prometheus_client"),  # an extra
        ("portmap.session.open", "asyncio"),  # of aopen only
        ("portmap.session.open", "portmap.publishers.runner"),  # only with a publisher
        ("portmap.session.open", "portmap.storage.journal"),  # only with a state folder
        ("portmap.session.open", "portmap.storage.status"),  # as above
        ("portmap.session.open", "portmap.dispatch.static_path"),  # a session takes one path
        ("portmap.session.open", "hashlib"),  # OpenSSL; unguessable names come from the system
        ("portmap_upnp.backend", "http.client"),  # needed once a device has answered
        ("portmap.session.open", "importlib.metadata"),  # only for a name that is not ours
        ("portmap.cli.hold.setup", "portmap.cli.hold.service_manager"),  # only under one
        ("portmap.cli.hold.setup", "portmap.config.diff"),  # at the first SIGHUP
        ("portmap.cli.hold.setup", "portmap.network.listening_sockets"),  # once all ports are open
        ("portmap.cli", "portmap.session.session"),  # --version and Tab pay for neither
        ("portmap.cli.hold.start", "portmap.session.session"),  # what was asked for is said before that is imported
    ],
)
def test_an_import_does_not_load_what_is_not_used(imported: str, not_imported: str) -> None:
    program = f"import sys, {imported}; sys.exit({not_imported!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=30).returncode == 0


@pytest.mark.parametrize("path", modules(CORE), ids=names)
def test_the_core_imports_no_plugin_and_names_none(path: Path) -> None:
    assert not [name for name in imports(path) if name.startswith("portmap_")]
    if {"testing", "simulator", "cli"} & set(path.parts):
        return  # a simulated router speaks protocols; the command's help gives examples
    said = {node.value for node in nodes(path) if isinstance(node, ast.Constant)}
    assert not said & PROTOCOL_NAMES


@pytest.mark.parametrize("folder", PLUGINS, ids=lambda folder: folder.name)
def test_a_plugin_builds_on_public_names_its_library_and_itself(folder: Path) -> None:
    allowed = LIBRARIES.get(folder.parent.name, set()) | {folder.name}
    for path in modules(folder):
        assert third_parties(path) <= allowed, path
        used = {name for name in imports(path) if name.startswith("portmap.")} - PUBLIC_NAMES
        assert {name.split(".")[1] for name in used} <= PUBLIC, path


PRODUCT = [*modules(CORE), *(path for folder in PLUGINS for path in modules(folder))]


@pytest.mark.parametrize("path", PRODUCT, ids=names)
def test_a_module_says_what_it_is_and_keeps_its_size(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)), "a module begins with what it is"
    lines = len(text.splitlines())
    assert lines <= MAX_LINES, "this is probably two modules"
    assert lines >= MIN_LINES or path.name == "__init__.py" or names(path) in SHORT, (
        "a part of another module? If not, say why in SHORT"
    )


def test_no_docstring_states_a_law() -> None:
    texts = (path for folder in ("core", "plugins", "tests") for path in (ROOT / folder).rglob("*.py*"))
    law = "La" + "w:"
    assert not [names(path) for path in texts if path.suffix in {".py", ".template"} and law in path.read_text("utf-8")]


@pytest.mark.parametrize("path", [path for path in modules(ROOT / "tests") if path.name != "__init__.py"], ids=names)
def test_a_test_file_keeps_its_size(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES, "split it by what its tests promise"


@pytest.mark.parametrize("name", SHORT)
def test_an_excepted_module_exists(name: str) -> None:
    assert (ROOT / name).is_file(), "take it off the list"


@pytest.mark.parametrize("package", [CORE, *PLUGINS], ids=names)
def test_a_class_name_means_one_class_in_a_package(package: Path) -> None:
    classes = Counter(node.name for path in modules(package) for node in nodes(path) if isinstance(node, ast.ClassDef))
    assert {name for name, count in classes.items() if count > 1} <= SHARED_CLASS_NAMES.keys()
