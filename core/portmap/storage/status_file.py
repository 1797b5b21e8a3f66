"""StatusFile: each running session keeps its status in a file of one folder, for `portmap status`.

No daemon, no socket. A file whose lock is free was left by a session that died, and is ignored. Writing is atomic;
an error of the folder costs the status, not the mappings.
"""

import logging
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from portmap.errors import Garbled
from portmap.events import Event
from portmap.host.files import check_folder, open_for_lock, read_file, write_file
from portmap.model import Key, PortRequest
from portmap.storage.file_lock import try_lock
from portmap.storage.journal_store import make_folder
from portmap.storage.session_files import lock_of, new_session_file, session_files
from portmap.storage.status import SessionStatus, from_text, to_text

MAX_SIZE = 16 * 1024 * 1024  # bytes; 10,000 ports need 3 MiB

_log = logging.getLogger("portmap.board")


class StatusFile:
    """A session's status file in a state folder."""

    def __init__(self, folder: Path, status: SessionStatus) -> None:
        self._status = status
        self._written = ""
        self._lock = threading.Lock()
        self._path = new_session_file(status_folder(folder))
        make_folder(folder)
        self._path.parent.mkdir(exist_ok=True, mode=0o700)
        check_folder(self._path.parent)
        self._file = open_for_lock(lock_of(self._path), create=True)
        try_lock(self._file)

    def add(self, requests: Iterable[PortRequest], *, ipv6: bool) -> None:
        """More ports are asked for. From any thread, as the two below; `write` shows it."""
        with self._lock:
            self._status = self._status.with_requests(requests, ipv6=ipv6)

    def apply(self, event: Event) -> None:
        """An event has happened."""
        with self._lock:
            self._status = self._status.after(event, time.time())

    def remove(self, key: Key) -> None:
        """A port is no longer asked for."""
        with self._lock:
            self._status = self._status.without(key)

    def write(self) -> None:
        """Write what was noted, if it is anything new."""
        with self._lock:
            text = to_text(self._status)
            if text != self._written:
                self._write(text)

    def close(self) -> None:
        """The session is over. A second time does nothing."""
        with self._lock:
            self._written = ""
            self._file.close()
            for path in (self._path, lock_of(self._path)):
                with suppress(OSError):
                    path.unlink()

    def _write(self, text: str) -> None:
        try:
            write_file(self._path, text.encode())
        except OSError as error:
            why = error.strerror or error
            _log.warning("%s cannot be written, so portmap status does not show this session: %s", self._path, why)
        else:
            self._written = text


def status_folder(folder: Path) -> Path:
    """The folder of status files in a state folder."""
    return folder / "status"


def live_sessions(folder: Path) -> tuple[SessionStatus, ...]:
    """The notices of the sessions that live, the oldest first."""
    found = [status for path in session_files(status_folder(folder)) if (status := _read(path)) is not None]
    return tuple(sorted(found, key=lambda status: (status.started, status.pid)))


def _read(path: Path) -> SessionStatus | None:
    """The status, if its session lives. What the dead have left is cleared away."""
    lock = lock_of(path)
    try:
        with open_for_lock(lock) as file:
            if not try_lock(file):
                return _parse(path)
        for remains in (path, lock):
            remains.unlink(missing_ok=True)
    except FileNotFoundError:
        with suppress(OSError):
            path.unlink()
    except OSError as error:
        _log.debug("%s cannot be read: %s", path, error)
    return None


def _parse(path: Path) -> SessionStatus | None:
    try:
        return from_text(read_file(path, MAX_SIZE).decode())
    except (OSError, UnicodeDecodeError, Garbled) as error:
        _log.debug("%s makes no sense: %s", path, error)
        return None
