"""`portmap service print`: the unit's text, and what systemd itself says of it."""

import inspect
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from portmap.cli.commands.service import our_command, print_unit, unit_of
from portmap.cli.config_file import load_config
from portmap.cli.parser.app import bare, main
from portmap.cli.parser.tool_commands import print_
from portmap.config.settings import SettingsLayer
from portmap.errors import SpecError

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="needs systemd-analyze (Debian package systemd)"
)


@pytest.fixture
def unit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """The unit for one mapping, as a file."""
    print_unit(["--nat", "pmp:192.168.1.1"], ["web=443:8443"], flags=SettingsLayer(nat="pmp:192.168.1.1"))
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
    print_unit([], [], flags=SettingsLayer(), config=Path("portmap.toml"))
    assert line(capsys.readouterr().out, "ExecStart").endswith(f" --config {tmp_path}/portmap.toml")


@pytest.mark.parametrize(
    "words",
    [[], ["--quiet"], ["nonsense"], ["--nat", "unknown", "80"], ["--publish", "unknown", "80"], ["--lease", "x", "80"]],
    ids=" ".join,
)
def test_a_unit_for_nonsense_is_not_printed(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["service", "print", *words])
    assert not capsys.readouterr().out


def test_a_unit_takes_every_option_that_the_hold_takes() -> None:
    hold, service = (set(inspect.signature(command).parameters) for command in (bare, print_))
    assert hold - {"version"} == service


def test_a_unit_says_all_that_was_asked_for(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    asked = [
        "--nat",
        "none",
        "--lease",
        "1h",
        "--ip-interval",
        "30s",
        "--for",
        "2h",
        "--on-conflict",
        "fail",
        "--metrics",
        "9100",
    ]
    asked += ["--state", str(tmp_path), "--publish", "exec:true {port}", "-4", "--json", "--quiet", "-v"]
    with pytest.raises(SystemExit) as ended:
        main(["service", "print", *asked, "80", "443/udp"])
    assert ended.value.code == 0
    unit = capsys.readouterr().out
    words = shlex.split(line(unit, "ExecStart").partition("=")[2])[1:]
    assert words[-2:] == ["80", "443/udp"]
    assert sorted(words) == sorted([*asked, "80", "443/udp"])
    assert line(unit, "ReadWritePaths") == f"ReadWritePaths={tmp_path}"


def test_the_unit_has_not_the_name_of_rpcbinds_alias(unit: Path) -> None:
    assert "/etc/systemd/system/portmap-nat.service" in unit.read_text()
    assert "enable --now portmap-nat" in unit.read_text()


def test_a_configuration_that_only_its_owner_can_read_is_a_credential(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "secret.toml"
    file.write_text("[[map]]\nport = 80\n")
    file.chmod(0o600)
    print_unit([], [], flags=SettingsLayer(), config=file)
    unit = capsys.readouterr().out
    assert line(unit, "LoadCredential") == f"LoadCredential=portmap.toml:{file}"
    assert line(unit, "ExecStart").endswith(" --config ${CREDENTIALS_DIRECTORY}/portmap.toml")
    assert "ExecReload=" not in [row[:11] for row in unit.splitlines()]


def test_a_password_that_all_can_read_is_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "portmap.toml"
    file.write_text("publish = ['http://me:canary@localhost:1/']\n[[map]]\nport = 80\n")
    file.chmod(0o644)
    load_config(file)
    told = capsys.readouterr().err
    assert told == f"portmap: {file} has a password, and every user of this host can read it: chmod 600 {file}\n"
    file.chmod(0o600)
    load_config(file)
    assert not capsys.readouterr().err


def test_a_password_in_a_unit_is_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    print_unit([], ["80"], flags=SettingsLayer(publish=("http://me:canary@localhost:1/",)))
    told = capsys.readouterr().err
    assert "put --publish into a file" in told
    assert "canary" not in told


def test_a_password_of_a_responder_in_a_unit_is_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    print_unit([], ["80"], flags=SettingsLayer(prove="http://me:canary@localhost:1/"))
    assert "put --prove into a file" in capsys.readouterr().err


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
