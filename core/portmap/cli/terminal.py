"""The standard streams of the process, which may be closed, full, without a reader, or short of letters.

Output that cannot be written never raises here, but for `OutputErrors.raise_first`; a full disk is reported by
`exit_codes.flush_stdout`.
"""

import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from types import TracebackType
from typing import Self, TextIO

_STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))  # in the order of their numbers: open() takes the lowest


def prepare_streams() -> None:
    """Open the null device in place of closed streams; a letter that stdout lacks is written as `?`."""
    for name, mode in _STREAMS:
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115  # for good
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


class OutputErrors:
    """Within it lines are printed. What cannot be written is raised when the work is done, by `raise_first`."""

    def __init__(self) -> None:
        self._first: OSError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if isinstance(error, OSError):
            self._first = self._first or error
        return isinstance(error, OSError)

    def raise_first(self) -> None:
        """Raise the first OSError that was met, if there was one."""
        if self._first is not None:
            raise self._first


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
