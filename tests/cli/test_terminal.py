"""The command in poor surroundings: closed or full streams, a terminal without letters, no home, no folder to stand in.

Each is a process of its own, as a user would run it; a shell closes what is to be closed.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

PORTMAP = f"{sys.executable} -m portmap"
COMMANDS = (
    "--version",
    "--help",
    "ip",
    "ip --json",
    "ip --nat none",
    "--bogus",
    "backends",
    "plugins --json",
    "status",
    "status --json",
    "doctor --nat none",
    "router --list-quirks",
    "router --for 1s --address 127.97.2.{number}",
    "service print 80",
    "config check no-such-file",
    "--for 1s 80",
    "--for 1s --json 80",
    "run 80 -- true",
    "ls --nat pmp:127.97.0.1",
    "plugins new acme-{number} --dir {folder}",
)
CODES = {0, 1, 2, 3, 4, 5, 7, 8, 9}
A_FEW = (
    "ip --json",
    "--bogus",
    "backends",
    "status",
    "doctor --nat none",
    "service print 80",
    "--for 1s 80",
    "run 80 -- true",
)


class Ran(NamedTuple):
    """How a command ended, and what reached the streams that were left open."""

    words: str
    code: int
    out: str
    err: str


def may_change_user() -> bool:
    """Whether another user may run this Python."""
    if os.geteuid() != 0:
        return False
    try:
        return subprocess.run([sys.executable, "-c", ""], user=12345, check=False, timeout=30).returncode == 0
    except PermissionError:
        return False


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that any user may enter and write into, unlike pytest's."""
    with tempfile.TemporaryDirectory() as path:
        Path(path).chmod(0o777)
        yield Path(path)


def shell(
    folder: Path, words: str, redirection: str = "", user: int | None = None, before: str = "", **variables: str
) -> Ran:
    """Run it by a shell with these redirections."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PORTMAP_", "LC_", "LANG"))}
    environment = {**kept, "PORTMAP_NAT": "extip:1.2.3.4", "XDG_STATE_HOME": str(folder / "state"), **variables}
    ran = subprocess.run(  # noqa: S602  # our own words
        f"{before}{PORTMAP} {words} {redirection}",
        shell=True,
        check=False,
        cwd=folder,
        capture_output=True,
        timeout=30,
        user=user,
        env={name: value for name, value in environment.items() if value != "unset"},
    )
    return Ran(words, ran.returncode, ran.stdout.decode(errors="replace"), ran.stderr.decode(errors="replace"))


def each(
    folder: Path, redirection: str, commands: Sequence[str], user: int | None = None, **variables: str
) -> list[Ran]:
    """Each command in the same surroundings."""
    filled = [words.format(number=number, folder=folder) for number, words in enumerate(commands, 1)]
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda words: shell(folder, words, redirection, user, **variables), filled))


def fallen(ran: list[Ran]) -> list[Ran]:
    """Those that did not end as they should."""
    return [it for it in ran if it.code not in CODES or "Traceback" in it.err + it.out or "Exception" in it.err]


@pytest.mark.parametrize("redirection", [">&-", "<&- >&- 2>&-", "2>/dev/full", "| true"])
def test_closed_streams_stop_no_command(redirection: str, folder: Path) -> None:
    assert not fallen(each(folder, redirection, A_FEW))


def test_a_full_disk_is_told_and_is_a_failure(folder: Path) -> None:
    ran = each(folder, ">/dev/full", COMMANDS)
    assert not fallen(ran)
    assert not [it for it in ran if it.code == 0 and it.words != "run 80 -- true"]
    assert "portmap: standard output cannot be written: No space left" in ran[0].err


def test_a_terminal_without_letters_is_shown_other_ones(folder: Path) -> None:
    more = ("--for 1s 80-99", "--for 1s é=80", "status --state é", "config check é")
    poor = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    ran = each(folder, "", (*COMMANDS, *more), None, **poor)
    assert not fallen(ran)
    assert not [it for it in ran if not (it.out + it.err).isascii()]


@pytest.mark.parametrize("home", ["", "/dev/null", "relative"])
def test_without_a_home_it_works_on(home: str, folder: Path) -> None:
    assert not fallen(each(folder, "", A_FEW, HOME=home, XDG_STATE_HOME="unset"))


@pytest.mark.parametrize("value", ["\x1b[31mé", "-1"])
def test_nonsense_in_the_terminals_variables_is_nothing_to_us(value: str, folder: Path) -> None:
    assert not fallen(
        each(folder, "", A_FEW, COLUMNS=value, NO_COLOR=value, TERM=value, XDG_STATE_HOME=value, LANG=value)
    )


def test_a_folder_that_has_vanished_is_nothing_to_us(folder: Path) -> None:
    (folder / "gone").mkdir()
    gone = "cd gone; rmdir ../gone; "
    ran = [shell(folder, words, before=gone) for words in ("ip", "--for 1s 80", "config check no", "plugins new acme")]
    assert not fallen(ran)


@pytest.mark.skipif(not may_change_user(), reason="only root can change the user, and only where Python may be run")
@pytest.mark.parametrize("home", ["unset", "/"])
@pytest.mark.parametrize("user", [65534, 12345])  # one who owns nothing, and one without a name
def test_the_command_works_for_a_user_without_a_writable_folder(home: str, user: int, folder: Path) -> None:
    folder.chmod(0o755)
    assert not fallen(each(folder, "", A_FEW, user, HOME=home, XDG_STATE_HOME="unset"))
