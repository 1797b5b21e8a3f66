"""One run of a command: bounded in time, its process group ended with it, the end of its output kept.

Only what was started here is ever signalled. Input and output are files: neither a command that reads nothing nor a
grandchild that keeps the output open can delay us. The command inherits our environment without what is secret in it.
"""

import logging
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO

from portmap.errors import PortmapError
from portmap.host.environment import child_environment

logger = logging.getLogger("portmap.exec")

TIMEOUT = 30.0  # seconds for one run
GRACE = 2.0  # seconds between the request to end and the end
LAST_WORDS = 500  # bytes of the output that a message repeats


def run(argv: Sequence[str], variables: Mapping[str, str], told: bytes, timeout: float = TIMEOUT) -> None:
    """Run a command with `told` on its standard input. Raises PortmapError unless it exits with 0 in time."""
    name = argv[0]
    try:
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
            given.write(told)
            given.seek(0)
            process = _start(argv, variables, given, said)
            code = _wait(process, timeout)
            words = _last_words(said)
    except (OSError, ValueError) as error:  # ValueError: an argument that the system does not take
        reason = getattr(error, "strerror", None) or error
        raise PortmapError(f"the command {name} cannot be run: {reason}") from error
    logger.debug("%s ended with %s: %s", name, code, words)
    if code is None:
        raise PortmapError(f"the command {name} did not end within {timeout:g} s, so it was ended")
    if code:
        because = f": {words}" if words else ""
        how = f"ended with exit code {code}" if code > 0 else f"was ended by signal {-code}"
        raise PortmapError(f"the command {name} {how}{because}")


def _start(
    argv: Sequence[str], variables: Mapping[str, str], given: IO[bytes], said: IO[bytes]
) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(  # noqa: S603  # the user's own command, and no shell unless it was asked for
        argv,
        stdin=given,
        stdout=said,
        stderr=subprocess.STDOUT,
        env=child_environment(os.environ, variables),
        start_new_session=True,
    )


def _wait(process: "subprocess.Popen[bytes]", timeout: float) -> int | None:
    """The exit code; None if it had to be ended."""
    try:
        return process.wait(timeout)
    except subprocess.TimeoutExpired:
        _signal(process, "SIGTERM")
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
        _signal(process, "SIGKILL")
        process.wait()
        return None


def _signal(process: "subprocess.Popen[bytes]", name: str) -> None:
    """Signal the whole group, which is the command's own."""
    with suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, getattr(signal, name))


def _last_words(said: IO[bytes]) -> str:
    said.seek(max(0, said.seek(0, os.SEEK_END) - LAST_WORDS))
    text = said.read(LAST_WORDS).decode("utf-8", "replace").strip()
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
