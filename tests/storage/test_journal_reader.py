"""Reading every journal of a folder, without disturbing living sessions."""

import os
from pathlib import Path

import pytest

from portmap.errors import SpecError
from portmap.model import Protocol
from portmap.storage.journal import Journal, JournalEntry
from portmap.storage.journal_reader import read_journals
from portmap.storage.journal_store import JournalStore

ENTRY = JournalEntry("NAT-PMP 192.168.1.1", Protocol.TCP, 4001, 4002, expires=2000.0)


def session(folder: Path) -> JournalStore:
    state = JournalStore(folder)
    state.save(Journal((ENTRY,)))
    return state


def test_the_living_and_the_dead_are_told_apart(tmp_path: Path) -> None:
    living, dead = session(tmp_path), session(tmp_path)
    dead.close()
    found = read_journals(tmp_path)
    living.close()
    assert sorted(it.alive for it in found) == [False, True]
    assert {(it.pid, it.journal) for it in found} == {(os.getpid(), Journal((ENTRY,)))}


def test_what_may_still_be_held_depends_on_the_time(tmp_path: Path) -> None:
    session(tmp_path).close()
    (found,) = read_journals(tmp_path)
    assert found.open_entries(1999.0) == (ENTRY,)
    assert found.open_entries(2001.0) == ()


def test_reading_takes_nothing_over(tmp_path: Path) -> None:
    session(tmp_path).close()
    read_journals(tmp_path)
    heir = JournalStore(tmp_path)
    assert heir.take_over() == (Journal((ENTRY,)),)
    heir.close()


def test_what_makes_no_sense_is_passed_over_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "1-0000000e.json").write_text("nonsense")
    (tmp_path / "2-0000000e.json").write_bytes(b"\xff")
    (tmp_path / "3-0000000e.json").mkdir()
    assert read_journals(tmp_path) == ()
    assert (tmp_path / "1-0000000e.json").read_text() == "nonsense"


def test_no_folder_is_no_journal(tmp_path: Path) -> None:
    assert read_journals(tmp_path / "nowhere") == ()


def test_a_folder_that_is_none_is_the_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpecError, match="cannot be read: Not a directory"):
        read_journals(tmp_path / "file")
