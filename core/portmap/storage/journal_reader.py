"""Reads every session's journal in a folder, of living and dead sessions alike, for `ls` and `doctor`.

Rules:
- Nothing is taken over, set aside or removed, and no living session is disturbed.
- Whether the owner of a journal lives is seen by trying its lock for an instant. If another session would take the
  journal over in that very instant, the one after that does.
"""

import logging
from dataclasses import dataclass
from pathlib import Path

from portmap.errors import Garbled, SpecError
from portmap.host.files import open_for_lock, read_file
from portmap.storage.file_lock import try_lock
from portmap.storage.journal import MAX_SIZE, Journal, JournalEntry, from_text
from portmap.storage.session_files import lock_of, only_session_files, pid_of

_log = logging.getLogger("portmap.state")


@dataclass(frozen=True, slots=True)
class SessionJournal:
    """One session's journal. `pid` was or is its process; `written`: unix time."""

    path: Path
    pid: int
    alive: bool
    written: float
    journal: Journal

    def open_entries(self, now: float) -> tuple[JournalEntry, ...]:
        """What its gateways may still hold at unix time `now`."""
        return tuple(entry for entry in self.journal.entries if entry.may_be_held(now))


def read_journals(folder: Path) -> tuple[SessionJournal, ...]:
    """Every journal, oldest first; none where there is no such folder. Raises SpecError where it cannot be read.

    A file that makes no sense is passed over.
    """
    try:
        paths = only_session_files(folder.iterdir())
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise SpecError(f"the state folder {folder} cannot be read: {error.strerror}; name another one") from error
    found = (_read(path) for path in paths)
    return tuple(sorted((it for it in found if it), key=lambda it: (it.written, it.path.name)))


def _read(path: Path) -> SessionJournal | None:
    try:
        journal = from_text(read_file(path, MAX_SIZE).decode())
        return SessionJournal(path, pid_of(path), _is_locked(lock_of(path)), path.stat().st_mtime, journal)
    except (OSError, UnicodeDecodeError, Garbled) as error:
        _log.debug("%s is passed over: %s", path, error)
        return None


def _is_locked(lock: Path) -> bool:
    """Whether a living process holds it."""
    try:
        with open_for_lock(lock) as file:
            return not try_lock(file)  # closing the file ends it
    except OSError as error:
        _log.debug("%s is taken for free: %s", lock, error)
        return False
