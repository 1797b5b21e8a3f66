"""`portmap plugins`: what is installed, and a package to start a backend from."""

import json
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from portmap.cli.commands.plugins import PluginRow
from portmap.cli.parser.app import main
from portmap.errors import SpecError
from portmap.hookspecs import BACKENDS
from portmap.loading.catalog import Catalogue
from portmap.scaffold import BACKEND, PUBLISHER, write_package

CACHE = Path(__file__).parents[2] / ".mypy_cache"  # what mypy knows of portmap


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(words)
    return int(ended.value.code or 0)


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, Any]]:
    """Name -> what the JSON says of it."""
    plugins = json.loads(capsys.readouterr().out)["plugins"]
    return {name: row for row in plugins for name in row["names"]}


def test_the_table_has_a_line_for_each_backend_and_publisher(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plugins") == 0
    heads, *lines = capsys.readouterr().out.splitlines()
    assert heads.split() == ["GROUP", "NAMES", "KIND", "FROM", "STATUS"]
    assert {"backend", "publisher"} <= {line.split()[0] for line in lines}
    assert all(line.endswith("  ok") for line in lines)


def test_the_json_says_the_same_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plugins", "--json") == 0
    rows = told(capsys)
    assert rows["extip"] == {
        "group": "backend",
        "names": ["extip", "ip"],
        "kind": "static",
        "distribution": "portmap-nat",
        "version": rows["extip"]["version"],
        "hooks": ["external_ip", "add_mapping", "delete_mapping"],
        "status": "ok",
        "reason": "",
    }
    assert (rows["enr"]["group"], rows["enr"]["kind"]) == ("publisher", None)
    assert rows["enr"]["hooks"] == ["sign_record"]


def test_an_option_may_stand_before_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--json", "plugins") == 0
    assert "none" in told(capsys)


def test_a_broken_one_has_a_reason_and_no_hooks() -> None:
    (plugin,) = Catalogue(BACKENDS, [EntryPoint("acme", "nowhere_at_all:Acme", BACKENDS)]).plugins
    row = PluginRow.of(plugin)
    assert (row.status, row.kind, row.hooks) == ("broken", None, ())
    assert "No module named 'nowhere_at_all'" in row.reason


def test_new_writes_a_package_and_says_what_to_do_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plugins", "new", "acme-2000", "--dir", str(tmp_path)) == 0
    folder = tmp_path / "portmap-acme-2000"
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == {
        "README.md",
        "pyproject.toml",
        "portmap_acme_2000/__init__.py",
        "portmap_acme_2000/backend.py",
        "portmap_acme_2000/gateway.py",
        "portmap_acme_2000/py.typed",
        "tests/test_contract.py",
    }
    assert f"pytest {folder}" in capsys.readouterr().out


def test_new_writes_where_it_stands_without_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("plugins", "new", "acme") == 0
    assert (tmp_path / "portmap-acme" / "pyproject.toml").is_file()


def test_new_writes_a_publisher_where_one_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plugins", "new", "acme", "--publisher", "--dir", str(tmp_path)) == 0
    folder = tmp_path / "portmap-acme"
    assert (folder / "portmap_acme" / "publisher.py").is_file()
    assert "portmap --publish acme:FILE" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "kind", "promises"),
    [("true", BACKEND, "hook or granted"), ("test-2", BACKEND, "hook or granted"), ("true", PUBLISHER, "not slow")],
)
def test_a_new_package_has_a_green_contract_test_whatever_its_name(
    name: str, kind: Any, promises: str, tmp_path: Path
) -> None:
    folder = write_package(name, tmp_path, kind)
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", promises, str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize("kind", [BACKEND, PUBLISHER], ids=["backend", "publisher"])
def test_a_new_package_is_typed_and_tidy(kind: Any, tmp_path: Path) -> None:
    folder = write_package("acme", tmp_path, kind)
    for command in (
        ["mypy", "--strict", "--config-file=", f"--cache-dir={CACHE / kind.word}", "."],
        ["ruff", "check", "--isolated", "--select=E,F,W,I,B,UP,SIM,RUF", "--line-length=120", "."],
        ["ruff", "format", "--isolated", "--line-length=120", "--check", "."],
    ):
        ran = subprocess.run([sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize(
    "name",
    ["", "Acme", "2acme", "acme_2", "-acme", "acme-", "a--b", "a b", "a/b", "..", "acmé", "a:b", "a\n", "a" * 41],
)
def test_a_name_that_no_backend_can_have_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot be a backend's name"):
        write_package(name, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["none", "any", "nat-pmp"])
def test_a_name_that_is_taken_is_refused_with_its_owner(name: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"is taken by backend .* \(portmap-nat "):
        write_package(name, tmp_path)


def test_what_is_there_is_never_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "portmap-acme").mkdir()
    assert run("plugins", "new", "acme", "--dir", str(tmp_path)) == 2
    assert "is there already" in capsys.readouterr().err
    assert not list((tmp_path / "portmap-acme").iterdir())


def test_a_folder_that_cannot_be_written_into_is_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("plugins", "new", "acme", "--dir", str(tmp_path / "nowhere")) == 2
    assert "cannot be written: No such file or directory" in capsys.readouterr().err


def test_new_without_a_name_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plugins", "new") == 2
    assert "NAME" in capsys.readouterr().err
