import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from portmap.errors import SpecError
from portmap.model import Protocol
from portmap.storage.journal import Journal, JournalEntry
from portmap.storage.journal_store import JournalStore, default_folder

Open = Callable[[], JournalStore]
JOURNAL = Journal((JournalEntry("the gateway", Protocol.TCP, 30303, 30304),))
OTHER = Journal((JournalEntry("the gateway", Protocol.UDP, 1, 1),))


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Sessions' states in one folder, closed at the end if not before."""
    with ExitStack() as stack:

        def open_state() -> JournalStore:
            state = JournalStore(tmp_path)
            stack.callback(state.close)
            return state

        yield open_state


def test_what_one_session_leaves_the_next_inherits(opened: Open) -> None:
    first = opened()
    first.save(JOURNAL)
    first.close()
    assert opened().take_over() == (JOURNAL,)


def test_a_living_sessions_journal_is_not_taken_over(opened: Open) -> None:
    alive = opened()
    alive.save(JOURNAL)
    assert opened().take_over() == ()


def test_a_killed_process_leaves_its_journal(opened: Open, tmp_path: Path) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path; from portmap.storage.journal_store import JournalStore;"
        "from portmap.storage.journal import Journal; JournalStore(Path(sys.argv[1])).save(Journal());"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert opened().take_over() == (Journal(),)


def test_only_one_session_inherits(opened: Open) -> None:
    first = opened()
    first.save(JOURNAL)
    first.close()
    heir, other = opened(), opened()
    assert heir.take_over() == (JOURNAL,)
    assert other.take_over() == ()


def test_what_was_inherited_stays_until_the_heir_has_written_its_own(opened: Open) -> None:
    first = opened()
    first.save(JOURNAL)
    first.close()
    heir = opened()
    heir.take_over()
    heir.close()
    assert opened().take_over() == (JOURNAL,)


def test_what_was_inherited_is_gone_once_the_heir_has_written_its_own(opened: Open) -> None:
    first = opened()
    first.save(JOURNAL)
    first.close()
    heir = opened()
    heir.take_over()
    heir.save(OTHER)
    heir.close()
    assert opened().take_over() == (OTHER,)


def test_a_corrupt_journal_is_set_aside_with_a_warning(
    opened: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "1-00000abc.json").write_bytes(b"\xff\x00 no journal")
    assert opened().take_over() == ()
    assert (tmp_path / "1-00000abc.corrupt").read_bytes() == b"\xff\x00 no journal"
    assert "set aside" in caplog.text


def test_a_huge_file_is_not_read_but_set_aside(opened: Open, tmp_path: Path) -> None:
    with (tmp_path / "1-00000abc.json").open("wb") as file:
        file.truncate(1 << 30)
    assert opened().take_over() == ()
    assert (tmp_path / "1-00000abc.corrupt").exists()


def test_the_same_journal_is_not_written_twice(opened: Open, tmp_path: Path) -> None:
    state = opened()
    state.save(JOURNAL)
    (written,) = tmp_path.glob("*.json")
    before = written.stat().st_mtime_ns, written.stat().st_ino
    state.save(JOURNAL)
    assert (written.stat().st_mtime_ns, written.stat().st_ino) == before


def test_a_folder_that_cannot_be_used_is_the_users_to_mend(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpecError, match="choose another with --state"):
        JournalStore(tmp_path / "file" / "portmap")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")
@pytest.mark.parametrize("folder", ["/proc", "/proc/self"])
def test_a_folder_in_which_no_file_can_be_made_is_the_users_to_mend(folder: str) -> None:
    with pytest.raises(SpecError, match=f"the state folder {folder} cannot be used: .*; choose another with --state"):
        JournalStore(Path(folder))


def test_a_disk_that_fails_later_costs_a_warning_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    state = JournalStore(tmp_path / "gone")
    for file in (tmp_path / "gone").iterdir():
        file.unlink()
    (tmp_path / "gone").rmdir()
    assert not state.save(JOURNAL)
    state.close()
    assert "cannot be written" in caplog.text


def test_the_folder_is_systemds_where_it_gives_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/portmap:/other")
    assert default_folder() == Path("/var/lib/portmap")


def test_the_folder_is_xdgs_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", "/home/me/state")
    assert default_folder() == Path("/home/me/state/portmap")


def test_a_relative_xdg_folder_is_ignored_as_its_standard_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", "state")
    assert default_folder() == Path.home() / ".local" / "state" / "portmap"


@pytest.mark.timeout(10)
def test_a_pipe_in_the_folder_delays_no_session(opened: Open, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "1-00000abc.json")
    os.mkfifo(tmp_path / "2-00000abc.json")
    os.mkfifo(tmp_path / "2-00000abc.lock")
    assert opened().take_over() == ()


def test_a_folder_that_others_can_write_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(SpecError, match=f"chmod 700 {tmp_path}"):
        JournalStore(tmp_path)


def test_a_journal_is_for_its_owner_alone(opened: Open, tmp_path: Path) -> None:
    opened().save(JOURNAL)
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_a_folder_that_is_gone_at_the_end_is_no_error(opened: Open, tmp_path: Path) -> None:
    store = opened()
    store.save(JOURNAL)
    shutil.rmtree(tmp_path)
    tmp_path.write_text("no folder any more")
    store.close()
