"""The folder of journals: one file for each living session, and those that dead sessions left.

Rules:
- A file whose lock is free belongs to no living session, and may be taken over.
- Writing is atomic: a reader sees the old content or the new.
- A file that makes no sense is set aside, never deleted. What no session made is not touched.
- Trouble with the folder costs the memory of ports, not the mappings: it is a warning, not an error.
"""

import logging
import os
from pathlib import Path
from typing import IO

from portmap.errors import Garbled, SpecError
from portmap.host.files import check_folder, check_writable, open_for_lock, read_file, write_file
from portmap.storage.file_lock import try_lock
from portmap.storage.journal import MAX_SIZE, Journal, from_text, to_text
from portmap.storage.session_files import lock_of, new_session_file, session_files

_log = logging.getLogger("portmap.state")


def default_folder() -> Path:
    """`$STATE_DIRECTORY` (systemd) or the XDG state directory's `portmap`."""
    service = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    if service:
        return Path(service)
    home = os.environ.get("XDG_STATE_HOME", "")
    return (Path(home) if home.startswith("/") else Path.home() / ".local" / "state") / "portmap"


def make_folder(folder: Path) -> None:
    """Make the folder, for its owner alone, unless it is there.

    Raises SpecError where no journal can be kept in it, as where other users can write to it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        check_folder(folder)
        check_writable(folder)
    except OSError as error:
        raise unusable(folder, error) from error


def unusable(folder: Path, error: OSError) -> SpecError:
    """The error for a state folder in which no journal can be kept."""
    return SpecError(
        f"the state folder {folder} cannot be used: {error.strerror}; choose another with --state, or none"
    )


class JournalStore:
    """One session's journal file, and the folder around it. Raises SpecError where `folder` cannot be used."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = new_session_file(folder)
        self._written = ""
        self._inherited: dict[Path, IO[bytes]] = {}
        make_folder(folder)
        try:
            self._lock = open_for_lock(lock_of(self._path), create=True)
        except OSError as error:
            raise unusable(folder, error) from error
        try_lock(self._lock)

    def take_over(self) -> tuple[Journal, ...]:
        """What the dead have left, oldest first. It stays on disk until this session has written its own journal."""
        journals = []
        for path in session_files(self._folder):
            journal = self._take_over(path) if path != self._path else None
            if journal is not None:
                journals.append(journal)
        return tuple(journals)

    def save(self, journal: Journal) -> bool:
        """Write the session's journal, if it is another than before; then what was inherited is gone.

        Whether it is written.
        """
        text = to_text(journal)
        if text == self._written:
            return True
        try:
            write_file(self._path, text.encode())
        except OSError as error:
            why = error.strerror or error
            _log.warning("%s cannot be written, so the next session will not know these ports: %s", self._path, why)
            return False
        self._written = text
        self._remove_taken_over()
        return True

    def close(self) -> None:
        """The session is over: its journal is now the next one's to inherit."""
        for lock in (self._lock, *self._inherited.values()):
            lock.close()
        self._inherited.clear()
        _remove(lock_of(self._path))

    def _take_over(self, path: Path) -> Journal | None:
        """The journal, if its owner is dead; the lock is kept, so that no other session takes it over as well."""
        try:
            lock = open_for_lock(lock_of(path), create=True)
        except OSError as error:
            _log.debug("%s is left alone: %s", path, error)
            return None
        if not try_lock(lock):
            lock.close()
            return None
        try:
            journal = from_text(_content(path))
        except Garbled as error:
            lock.close()
            _set_aside(path, error)
            return None
        self._inherited[path] = lock
        return journal

    def _remove_taken_over(self) -> None:
        for path, lock in self._inherited.items():
            _remove(path)
            lock.close()
            _remove(lock_of(path))
        self._inherited.clear()


def _remove(path: Path) -> None:
    """Remove a file that is over; one that stays, as in a folder that has become read-only, is found to be so later."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        _log.debug("%s stays: %s", path, error)


def _content(path: Path) -> str:
    """The text of a file. Raises Garbled for one that cannot be read or is too large to be a journal."""
    try:
        return read_file(path, MAX_SIZE).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise Garbled(f"no journal: {error}") from error


def _set_aside(path: Path, reason: Garbled) -> None:
    aside = path.with_suffix(".corrupt")
    try:
        path.replace(aside)
        lock_of(path).unlink(missing_ok=True)
    except OSError as error:
        _log.warning("%s makes no sense (%s) and cannot be set aside: %s", path, reason, error)
    else:
        _log.warning("%s makes no sense and is set aside as %s: %s", path, aside.name, reason)
