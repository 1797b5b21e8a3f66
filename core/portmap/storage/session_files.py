"""The names of the files that sessions keep in a folder: journals, and what they hold for `portmap status`.

The user may have chosen a folder that has other files in it, such as the current one. Only what has such a name is
ever read, set aside or removed.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path

_NAME = re.compile(r"[0-9]{1,11}-[0-9a-f]{8}\.json")


def new_session_file(folder: Path) -> Path:
    """A name for a file of this process that no other one has: PID-RANDOM.json."""
    return folder / f"{os.getpid()}-{os.urandom(4).hex()}.json"


def only_session_files(paths: Iterable[Path]) -> list[Path]:
    """Those that a session made, by their names. Pure."""
    return [path for path in paths if _NAME.fullmatch(path.name)]


def session_files(folder: Path) -> list[Path]:
    """Those in a folder, the oldest first; none where there is no such folder, or it cannot be read."""
    return sorted(only_session_files(folder.glob("*.json")), key=_age)


def lock_of(path: Path) -> Path:
    """The lock of a session's file. Its holder is a living process."""
    return path.with_suffix(".lock")


def pid_of(path: Path) -> int:
    """The process that made it, as its name says."""
    return int(path.name.partition("-")[0])


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
