"""The publisher `file:PATH`: the external ports, one a line; or all of the state as JSON, if PATH ends in `.json`.

A reader finds all of one state, never half of it. A port that is closed is no longer in the file; with no port left the
file is empty. A file that holds the state already is left alone. `portmap.host.files` writes it: never through another
user's link, never over another user's file, and only a regular file.
"""

import errno
import json
import logging
from pathlib import Path
from typing import ClassVar

from portmap.endpoints import Endpoints
from portmap.errors import PortmapError, SpecError
from portmap.hookspecs import hookimpl
from portmap.host.files import read_file, real_path, write_file
from portmap.wire.site import looks_like_url

logger = logging.getLogger("portmap.file")

_MODE = 0o644  # less the umask: other programs are meant to read it
_MAX_SIZE = 1024 * 1024  # bytes; the state of a thousand ports has 150 KB
_HINTS = {
    errno.EBUSY: "a single file that is mounted into a container cannot be replaced: mount its folder",
    errno.EACCES: "write to a folder of your own",
    errno.EROFS: "write to another folder",
    errno.ENOENT: "make the folder first",
}


class FilePublisher:
    """Writes one file."""

    one_instance: ClassVar[bool] = True  # it is replaced as a whole

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def from_argument(cls, argument: str | None) -> "FilePublisher":
        """A file's name, there or not. Raises SpecError for what can be none."""
        if not argument or not argument.isprintable():
            raise SpecError("publisher file needs a file: write file:PATH, or file:PATH.json for all that is known")
        if looks_like_url(argument):
            raise SpecError("publisher file needs a file, and this is a URL: write file:PATH")
        try:
            path = Path(argument).expanduser().absolute()  # the working directory may change later
            _check(real_path(path))
        except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: ~USER, and there is no such user
            raise SpecError(f"publisher file: {argument[:200]!r} cannot be used: {_reason(error)}") from error
        return cls(path)

    def __str__(self) -> str:
        return f"file {self._path}"

    @hookimpl
    def converge(self, state: Endpoints) -> None:
        """Write the state. Raises PortmapError where the file cannot be written."""
        content = _json(state) if self._path.suffix.lower() == ".json" else _lines(state)
        try:
            if _content(self._path) != content:
                _check(real_path(self._path))
                write_file(self._path, content, _MODE, sync=True)
                logger.debug("%s: wrote %d bytes", self, len(content))
        except OSError as error:
            raise PortmapError(f"{self} cannot be written: {_reason(error)}") from error


def _lines(state: Endpoints) -> bytes:
    """Each external port of a mapping once, in the order in which they were opened."""
    ports = dict.fromkeys(mapping.external_port for mapping in state.mappings)
    return "".join(f"{port}\n" for port in ports).encode()


def _json(state: Endpoints) -> bytes:
    return json.dumps(state.to_dict(), indent=2).encode() + b"\n"


def _check(path: Path) -> None:
    """Raise OSError for what is there and is no regular file: no device, folder or pipe is ever replaced."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is not a file: name a file, or a new one")


def _content(path: Path) -> bytes | None:
    try:
        return read_file(path, _MAX_SIZE)
    except OSError:
        return None  # missing, unreadable or not ours: writing it says what is wrong


def _reason(error: Exception) -> str:
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    hint = _HINTS.get(error.errno or 0, "")
    return f"{error.strerror}; {hint}" if hint else error.strerror
