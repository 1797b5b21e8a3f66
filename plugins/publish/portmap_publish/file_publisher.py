"""The publisher `file:PATH`: the external ports, one a line; or all of the state as JSON, if PATH ends in `.json`.

Law: whoever reads the file finds all of one state, never half of it. A port that is shut is no longer in it: with no
port left the file is empty, but there. A file that holds what it should is left alone.
"""

import errno
import json
import logging
import os
import secrets
from pathlib import Path

from portmap.endpoints import Endpoints
from portmap.errors import PortmapError, SpecError
from portmap.hookspecs import hookimpl

logger = logging.getLogger("portmap.file")

_MODE = 0o644  # less the umask: others are meant to read it
_HINTS = {
    errno.EBUSY: "a single file that is mounted into a container cannot be replaced: mount its folder",
    errno.EACCES: "write to a folder of your own",
    errno.EROFS: "write to another folder",
    errno.ENOENT: "make the folder first",
}


class FilePublisher:
    """Writes one file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def from_argument(cls, argument: str | None) -> "FilePublisher":
        """A file's name, there or not. Raises SpecError for what can be none."""
        if not argument or not argument.isprintable():
            raise SpecError("publisher file needs a file: write file:PATH, or file:PATH.json for all that is known")
        try:
            path = Path(os.path.realpath(Path(argument).expanduser()))  # the working directory may change later
            _check(path)
        except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: ~nobody
            raise SpecError(f"publisher file: {argument[:200]!r} cannot be a file: {_reason(error)}") from error
        except PortmapError as error:
            raise SpecError(str(error)) from error
        return cls(path)

    def __str__(self) -> str:
        return f"file {self._path}"

    @hookimpl
    def converge(self, state: Endpoints) -> None:
        """Have the file say so. Raises PortmapError where it cannot be written."""
        content = _json(state) if self._path.suffix.lower() == ".json" else _lines(state)
        try:
            _check(self._path)
            if _content(self._path) != content:
                _replace(self._path, content)
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
    """Nothing but a file is ever replaced: no device, no folder, no pipe. Raises PortmapError."""
    if path.exists() and not path.is_file():
        raise PortmapError(f"{path} is not a file: name a file, or a new one")


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None  # missing, or unreadable: then it is written anew


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name[:100]}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def _reason(error: Exception) -> str:
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    hint = _HINTS.get(error.errno or 0, "")
    return f"{error.strerror}; {hint}" if hint else error.strerror
