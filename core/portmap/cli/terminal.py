"""The standard streams of the process, as they may be: closed, full, read by nobody, short of letters.

Law: that what was to be said cannot be said is no reason to fall over, and none to keep silent about a full disk.

Text that came from elsewhere, made fit for a terminal. Pure.
"""

import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import TextIO

_STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))  # in the order of their numbers: open() takes the lowest


def prepare_streams() -> None:
    """Fill the places of closed streams, and let no letter be a fault that a terminal does not have."""
    for name, mode in _STREAMS:
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115  # for good
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def can_show(signs: str) -> bool:
    """Whether stdout has these letters."""
    try:
        signs.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def discard_output(stream: TextIO) -> None:
    """Let what is yet to be written go nowhere: the interpreter's last flush shall not fail."""
    with suppress(OSError, ValueError):  # a stream that is no file of the system's
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def printable(text: str) -> str:
    """Without control characters: a gateway's or a plugin's words shall not drive a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
