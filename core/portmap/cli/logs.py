"""Where log lines go: nowhere by default, since people read events; to standard error with -v and -vv.

No event tells of trouble with the state folder, so that is told by default, too.
"""

import logging
from collections.abc import Callable

from portmap.printable import printable

_STATE = ("portmap.state", "portmap.board")  # the loggers of journals and of status files
_MOST_TROUBLES = 16  # different ones that are told


class PrintableFormatter(logging.Formatter):
    """One line a record, a traceback below it; without control characters."""

    def format(self, record: logging.LogRecord) -> str:
        """The text of a record."""
        return "\n".join(map(printable, super().format(record).split("\n")))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's name
        """The line without the traceback: a line break in a message starts no line of its own."""
        return printable(super().formatMessage(record))


class StateTroubles(logging.Handler):
    """Tells each trouble with the state folder once."""

    def __init__(self, tell: Callable[[str], object]) -> None:
        super().__init__(logging.WARNING)
        self._tell = tell
        self._told: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Tell it, unless that was told before."""
        text = record.getMessage()
        if text not in self._told and len(self._told) < _MOST_TROUBLES:
            self._told.add(text)
            self._tell(text)


def set_up(verbosity: int, tell: Callable[[str], object] | None = None) -> None:
    """0: no lines. 1: what portmap decides. 2: the messages on the wire too.

    Without lines `tell` is called with what goes wrong in the state folder.
    """
    logger = logging.getLogger("portmap")
    logger.propagate = False
    if verbosity == 0:
        logger.addHandler(logging.NullHandler())
        _tell_state_troubles(tell)
        return
    handler = logging.StreamHandler()
    handler.setFormatter(PrintableFormatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO if verbosity == 1 else logging.DEBUG)


def _tell_state_troubles(tell: Callable[[str], object] | None) -> None:
    """In place of what was set up before in this process."""
    for logger in map(logging.getLogger, _STATE):
        for handler in [it for it in logger.handlers if isinstance(it, StateTroubles)]:
            logger.removeHandler(handler)
        if tell is not None:
            logger.addHandler(StateTroubles(tell))
