"""Records the wire as JSON lines, which `portmap.simulator.replay` can play.

Code that sends or receives logs each message with the field `wire`; it is written down here as it comes. Nothing is
left out: a capture holds addresses, PCP nonces, and what the router says of others. The file is for its owner alone.

The first line is `{"v": 1, "portmap": VERSION}`. Every other one is one message:

- `t`: seconds since the start; `talk`: a number for each thread, to match answers and questions;
- `way`: `out` or `in`; `over`: `udp` (one question, one answer), `ssdp`, or `http`;
- `peer`: `ADDRESS:PORT`; `head`: with `http` the method and path, or the status;
- `data`: the datagram, or the body, in hexadecimal digits.
"""

import json
import logging
import os
import threading
import time
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any, Self

from portmap.errors import SpecError
from portmap.host.files import PRIVATE, open_for_writing

VERSION = 1
_LOGGER = "portmap"


class Capture:
    """Writes to the file while it is open. Raises SpecError where the file cannot be written."""

    def __init__(self, path: Path, version: str) -> None:
        try:
            file = open_for_writing(path)
            if hasattr(os, "fchmod"):
                os.fchmod(file.fileno(), PRIVATE)  # a file that was there before may be readable by others
            self._file: IO[str] = TextIOWrapper(file, encoding="ascii")
        except OSError as error:
            raise SpecError(f"the capture {path} cannot be written: {error.strerror}; name another file") from error
        self._write({"v": VERSION, "portmap": version})
        self._handler = _Handler(self._write)
        self._logger = logging.getLogger(_LOGGER)
        self._level = self._logger.level

    def __enter__(self) -> Self:
        self._logger.addHandler(self._handler)
        self._logger.setLevel(logging.DEBUG)
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self._handler)
        self._logger.setLevel(self._level)
        self._handler.close()
        self._file.close()

    def _write(self, row: dict[str, Any]) -> None:
        print(json.dumps(row, separators=(",", ":")), file=self._file, flush=True)


class _Handler(logging.Handler):
    """Gives each message to `write`; the handler's own lock keeps lines from mixing."""

    def __init__(self, write: Any) -> None:
        super().__init__(logging.DEBUG)
        self._write = write
        self._began = time.monotonic()
        self._talks: dict[int, int] = {}

    def emit(self, record: logging.LogRecord) -> None:
        wire = wire_of(record)
        if wire is None:
            return
        talk = self._talks.setdefault(threading.get_ident(), len(self._talks))
        self._write({"t": round(time.monotonic() - self._began, 6), "talk": talk, **wire})


def wire_of(record: logging.LogRecord) -> dict[str, str] | None:
    """The message on the wire that a log record holds, if any."""
    wire = getattr(record, "wire", None)
    if isinstance(wire, dict):
        return {**wire, "data": bytes(wire.get("data", b"")).hex()}
    return None
