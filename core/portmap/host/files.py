"""Reads and writes files with care. Every file that portmap or a publisher writes goes through here.

Rules:
A symbolic link is followed only if it belongs to us or to root: another user cannot lead us to a file of ours.
Only a regular file is read or written: no pipe, no device, no folder; none with a second name is emptied.
A file is replaced as a whole, so a reader sees the old content or the new one. Another user's file is never replaced.
What is not said otherwise is for its owner alone (0600).

Every function raises OSError, with a `strerror` for people.
"""

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import IO

PRIVATE = 0o600
MAX_LINKS = 40  # as Linux: path_resolution(7)
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)  # Windows has none of the three
_NONBLOCK = getattr(os, "O_NONBLOCK", 0)
_FLAGS = _NOFOLLOW | _NONBLOCK | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def real_path(path: Path) -> Path:
    """The absolute path without symbolic links; what does not exist yet is taken as it is.

    Raises PermissionError for a link of another user.
    """
    left = list(reversed(Path(os.path.abspath(path)).parts))  # noqa: PTH100  # resolve() would follow any link
    real = Path(left.pop())
    links = 0
    while left:
        here = real / left.pop()
        try:
            status = here.lstat()
        except FileNotFoundError:
            return here.joinpath(*reversed(left))
        if not stat.S_ISLNK(status.st_mode):
            real = here
            continue
        links += 1
        if links > MAX_LINKS:
            raise OSError(errno.ELOOP, "too many symbolic links", str(path))
        if not _is_trusted(status.st_uid):
            raise PermissionError(errno.EPERM, f"{here} is a symbolic link of another user", str(path))
        target = Path(os.path.normpath(real / here.readlink()))
        real, left = Path(target.anchor), [*left, *reversed(target.parts[1:])]
    return real


def read_file(path: Path, limit: int) -> bytes:
    """The content of a regular file. Raises OSError for anything else, and for more than `limit` bytes."""
    with os.fdopen(_open(real_path(path), os.O_RDONLY), "rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"larger than {limit} bytes", str(path))
    return content


def write_file(path: Path, content: bytes, mode: int = PRIVATE, *, sync: bool = False) -> None:
    """Replace the file, or make it, with this mode less the umask; with `sync` it is on disk when this returns."""
    path = real_path(path)
    _check_replaceable(path)
    draft = path.with_name(f".{path.name[:100]}.{os.urandom(8).hex()}")
    try:
        create_file(draft, content, mode, sync=sync)
        draft.replace(path)
    except OSError:
        with suppress(OSError):
            draft.unlink()
        raise


def create_file(path: Path, content: bytes, mode: int = PRIVATE, *, sync: bool = True) -> None:
    """Make a file that is not there yet. Raises FileExistsError where anything has that name, a link included."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            if sync:
                os.fsync(file.fileno())
    except OSError:
        with suppress(OSError):
            path.unlink()  # half of it would be worse than nothing
        raise


def open_for_writing(path: Path, mode: int = PRIVATE) -> IO[bytes]:
    """Open a file to be written bit by bit: a new one, or one of ours, emptied."""
    path = real_path(path)
    _check_replaceable(path)
    file = os.fdopen(_open(path, os.O_WRONLY | os.O_CREAT, mode), "wb")
    try:
        _check_ours_alone(os.fstat(file.fileno()), path)  # it may have been made since we looked
        file.truncate()
    except OSError:
        file.close()
        raise
    return file


def open_for_lock(path: Path, *, create: bool = False) -> IO[bytes]:
    """Open a file to be locked, for reading and writing; with `create` it is made if it is not there."""
    flags = os.O_RDWR | (os.O_CREAT if create else 0)
    return os.fdopen(_open(real_path(path), flags), "r+b")


def check_folder(folder: Path) -> None:
    """Raise OSError unless this is a folder that only we, root, and those whom root allows can write to."""
    status = real_path(folder).stat()
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    if os.name != "posix":
        return
    if not _is_trusted(status.st_uid):
        raise PermissionError(errno.EPERM, "it belongs to another user", str(folder))
    others = status.st_mode & stat.S_IWOTH
    group = status.st_mode & stat.S_IWGRP and status.st_uid == os.geteuid() and not _is_private(status.st_gid)
    if others or group:
        raise PermissionError(errno.EPERM, f"other users can write to it: chmod 700 {folder}", str(folder))


def check_writable(folder: Path) -> None:
    """Raise OSError for a folder in which we may make no file: another's, or one of a file system that is read-only."""
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, "it cannot be written to", str(folder))


def _open(path: Path, flags: int, mode: int = PRIVATE) -> int:
    handle = os.open(path, flags | _FLAGS, mode)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return handle


def _check_replaceable(path: Path) -> None:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    _check_ours(status, path)


def _check_ours(status: os.stat_result, path: Path) -> None:
    if os.name == "posix" and status.st_uid != os.geteuid():
        raise PermissionError(errno.EPERM, "it belongs to another user", str(path))


def _check_ours_alone(status: os.stat_result, path: Path) -> None:
    """Another user may have given a file of ours a second name, where the system lets them."""
    _check_ours(status, path)
    if status.st_nlink > 1:
        raise PermissionError(errno.EPERM, "it has another name, a hard link", str(path))


def _is_trusted(owner: int) -> bool:
    """Whether a link or folder of this user may decide where we read and write."""
    return os.name != "posix" or owner in (0, os.geteuid())


def _is_private(group: int) -> bool:
    """Whether the group is the one that many systems make for each user, with the user's name and no other member."""
    import grp  # noqa: PLC0415  # POSIX only
    import pwd  # noqa: PLC0415  # POSIX only

    try:
        name = pwd.getpwuid(os.geteuid()).pw_name
        entry = grp.getgrgid(group)
    except KeyError:
        return False
    return entry.gr_name == name and set(entry.gr_mem) <= {name}
