"""The standard streams of the process, which may be closed, full, without a reader, or short of letters.

Output that cannot be written never raises here; a full disk is reported by `exit_codes.flush_stdout`.
"""

import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import TextIO

_STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))  # in the order of their numbers: open() takes the lowest


def prepare_streams() -> None:
    """Open the null device in place of closed streams; a letter that stdout lacks is written as `?`."""
    for name, mode in _STREAMS:
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115  # for good
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def can_show(stream: TextIO, letters: str) -> bool:
    """Whether the stream's encoding has these letters."""
    try:
        letters.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def discard_output(stream: TextIO) -> None:
    """Send the rest of a stream's output to the null device, so that the interpreter's last flush does not fail."""
    with suppress(OSError, ValueError):  # a stream that is no file of the system's
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
