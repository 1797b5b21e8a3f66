"""A state folder that has other files in it, such as the current one: they are neither read, renamed nor removed."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from portmap.storage.journal_reader import read_journals
from portmap.storage.journal_store import JournalStore
from portmap.storage.open_ports import FOLDER, OpenPorts
from portmap.storage.session_files import new_session_file, only_session_files, pid_of
from portmap.storage.status_file import live_sessions, status_folder

OTHERS = ("package.json", "1.json", "1-abc.json", "1-0000000g.json", "x1-00000000.json", "1-00000000.json5", "-.json")


def take_over(folder: Path) -> None:
    with closing(JournalStore(folder)) as store:
        assert store.take_over() == ()


def look_at_status(folder: Path) -> None:
    assert live_sessions(folder) == ()


def look_at_journals(folder: Path) -> None:
    assert read_journals(folder) == ()


def look_at_open_ports(folder: Path) -> None:
    with closing(OpenPorts(folder)) as ports:
        assert ports.entries == ()


@pytest.mark.parametrize("use", [take_over, look_at_status, look_at_journals, look_at_open_ports])
def test_what_no_session_made_is_left_as_it_is(tmp_path: Path, use: Callable[[Path], None]) -> None:
    for folder in (tmp_path, status_folder(tmp_path), tmp_path / FOLDER):
        folder.mkdir(exist_ok=True, mode=0o700)
        for name in OTHERS:
            (folder / name).write_text("{}")
    before = {path for path in tmp_path.rglob("*.json*") if path.name in OTHERS}
    use(tmp_path)
    assert {path for path in tmp_path.rglob("*.json*") if path.name in OTHERS} == before
    assert not list(tmp_path.rglob("*.corrupt"))


def test_the_name_of_a_sessions_file_is_known_as_one(tmp_path: Path) -> None:
    path = new_session_file(tmp_path)
    assert only_session_files([path, tmp_path / "notes.json"]) == [path]
    assert pid_of(tmp_path / "4711-0a1b2c3d.json") == 4711
