"""The key file: a secp256k1 secret key as 64 hex digits, as go-ethereum's `nodekey` (crypto.LoadECDSA, SaveECDSA).

Rules:
- everything that is wrong with the file is a SpecError that names it and the remedy; no message shows its content;
- a missing file is made, readable for its owner only, and never over anything that is there;
- a key that another user gave us, or could exchange, is refused: who holds it can sign in the node's name.
"""

import logging
import os
import re
import secrets
import stat
from pathlib import Path

from portmap.errors import SpecError
from portmap.host.files import create_file, read_file, real_path
from portmap.wire.site import looks_like_url

logger = logging.getLogger("portmap.enr")

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # of secp256k1: SEC 2 v2 §2.4.1
_TEXT = re.compile(rb"([0-9a-fA-F]{64})\r?\n?")
_MAX_SIZE = 64 * 1024  # bytes; a key has 65


def read_or_create(name: str) -> int:
    """The secret key in the file of that name, a new one if there is no such file. Raises SpecError."""
    if looks_like_url(name):
        raise SpecError("publisher enr needs a key file, and this is a URL: write enr:KEYFILE")
    try:
        path = Path(name).expanduser()
        return _read_or_create(path)
    except SpecError:
        raise
    except (OSError, ValueError, RuntimeError) as error:  # ValueError: a name with NUL; RuntimeError: ~USER
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
    real = real_path(path)
    status = real.lstat()
    if not stat.S_ISREG(status.st_mode):
        raise SpecError(f"key file {path} is not a file: name a file, or a new one")
    if os.name == "posix":
        _check_access(path, status)
    return _parse(read_file(real, _MAX_SIZE), path)


def _check_access(path: Path, status: os.stat_result) -> None:
    if status.st_uid not in (0, os.geteuid()):
        raise SpecError(f"key file {path} belongs to another user: copy the key into a file of your own, with mode 600")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise SpecError(f"key file {path} can be changed by others: chmod 600 {path}")
    if status.st_mode & (stat.S_IRGRP | stat.S_IROTH):
        logger.warning("key file %s can be read by others: chmod 600 %s", path, path)


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
    create_file(real_path(path.parent) / path.name, b"%064x\n" % secret)
    logger.info("made a new node key in %s", path)
    return secret


def _reason(error: Exception) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)
