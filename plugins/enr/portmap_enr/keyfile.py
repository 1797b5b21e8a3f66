"""The key file: a secp256k1 secret key as 64 hex digits, as go-ethereum's `nodekey` (crypto.LoadECDSA, SaveECDSA).

Law: whatever is wrong with the file is a SpecError that names it and the remedy; no message ever shows its content.
Missing, it is made, for its owner's eyes only, and never over anything that is there.
"""

import logging
import os
import re
import secrets
import stat
from pathlib import Path

from portmap.errors import SpecError

logger = logging.getLogger("portmap.enr")

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # of secp256k1: SEC 2 v2 §2.4.1
_TEXT = re.compile(rb"([0-9a-fA-F]{64})\r?\n?")
_TOO_MUCH = 1024  # bytes: enough to see that it is something else


def read_or_create(name: str) -> int:
    """The secret key in the file of that name, a new one if there is no such file. Raises SpecError."""
    try:
        path = Path(name).expanduser()
        return _read_or_create(path)
    except SpecError:
        raise
    except (OSError, ValueError, RuntimeError) as error:  # ValueError: a name with NUL; RuntimeError: ~nobody
        raise SpecError(f"key file {name}: {_reason(error)}: name a file that can be read, or a new one") from error


def _read_or_create(path: Path) -> int:
    try:
        return _read(path)
    except FileNotFoundError:
        pass
    try:
        return _create(path)
    except FileExistsError:  # another process was faster: its key is the key
        return _read(path)
    except FileNotFoundError as error:
        raise SpecError(f"key file {path}: there is no folder {path.parent}: make it first") from error


def _read(path: Path) -> int:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise SpecError(f"key file {path} is not a file: name a file, or a new one")
    if os.name == "posix" and status.st_mode & (stat.S_IRGRP | stat.S_IROTH):
        logger.warning("key file %s can be read by others: chmod 600 %s", path, path)
    with path.open("rb") as file:
        return _parse(file.read(_TOO_MUCH), path)


def _parse(data: bytes, path: Path) -> int:
    match = _TEXT.fullmatch(data)
    if not match:
        raise SpecError(
            f"key file {path} does not hold 64 hex digits and nothing else: name another file, or a new one"
        )
    secret = int(match[1], 16)
    if not 0 < secret < ORDER:
        raise SpecError(f"key file {path} holds a number that is no secp256k1 key: name another file, or a new one")
    return secret


def _create(path: Path) -> int:
    secret = 1 + secrets.randbelow(ORDER - 1)
    # O_EXCL: never over a file or through a link that somebody put there; 0600 from the first moment on.
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(b"%064x\n" % secret)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        path.unlink(missing_ok=True)  # half a key would be an error for ever
        raise
    logger.info("made a new node key in %s", path)
    return secret


def _reason(error: Exception) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)
