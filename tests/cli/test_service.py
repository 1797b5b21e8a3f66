"""`portmap service print`: the unit's text, and what systemd itself says of it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from portmap.cli.commands.service import our_command, print_unit, unit_of
from portmap.errors import SpecError

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="needs systemd-analyze (Debian package systemd)"
)


@pytest.fixture
def unit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """The unit for one mapping, as a file."""
    print_unit(["web=443:8443"], "pmp:192.168.1.1", None)
    path = tmp_path / "portmap.service"
    path.write_text(capsys.readouterr().out)
    return path


def line(unit: str, key: str) -> str:
    return next(line for line in unit.splitlines() if line.startswith(f"{key}="))


def test_the_unit_runs_what_was_asked_for(unit: Path) -> None:
    words = line(unit.read_text(), "ExecStart").partition("=")[2].split()
    assert Path(words[0]).is_absolute()
    assert words[1:] == ["--nat", "pmp:192.168.1.1", "web=443:8443"]


def test_a_configuration_is_named_by_its_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "portmap.toml").write_text("[[map]]\nport = 80\n")
    monkeypatch.chdir(tmp_path)
    print_unit([], None, Path("portmap.toml"))
    assert line(capsys.readouterr().out, "ExecStart").endswith(f" --config {tmp_path}/portmap.toml")


def test_a_unit_for_nonsense_is_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SpecError):
        print_unit(["nonsense"], None, None)
    assert not capsys.readouterr().out


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("a b", '"a b"'),
        ('say "hi"', '"say \\"hi\\""'),
        ("100%", '"100%%"'),
        ("$HOME", '"$$HOME"'),
        ("back\\slash", '"back\\\\slash"'),
        ("", '""'),
    ],
)
def test_a_word_reaches_the_command_as_it_is(word: str, written: str) -> None:
    assert line(unit_of(["/usr/bin/portmap", word]), "ExecStart") == f"ExecStart=/usr/bin/portmap {written}"


def test_a_line_end_cannot_begin_another_setting() -> None:
    with pytest.raises(SpecError, match="no unit can hold"):
        unit_of(["/usr/bin/portmap", "80\nUser=root"])


def test_a_command_that_the_service_cannot_see_is_warned_of() -> None:
    assert "WARNING: /home/ann/bin/portmap is in a home directory" in unit_of(["/home/ann/bin/portmap"])
    assert "WARNING" not in unit_of(["/usr/bin/portmap"])


def test_our_command_is_a_path() -> None:
    assert Path(our_command()).name == "portmap"


@needs_systemd
def test_systemd_finds_no_fault(unit: Path) -> None:
    checked = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    ours = [line for line in checked.stderr.splitlines() if "portmap.service" in line]
    assert (checked.returncode, ours) == (0, [])


@needs_systemd
def test_systemd_calls_it_hardened(unit: Path) -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    exposure = re.search(r"Overall exposure level for \S+: ([0-9.]+)", told)
    assert exposure is not None, told
    assert float(exposure[1]) < 2.0
