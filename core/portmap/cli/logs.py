"""Where log lines go: nowhere by default, since people read events; to standard error with -v and -vv."""

import logging

from portmap.printable import printable


class PrintableFormatter(logging.Formatter):
    """One line a record, a traceback below it; without control characters."""

    def format(self, record: logging.LogRecord) -> str:
        """The text of a record."""
        return "\n".join(map(printable, super().format(record).split("\n")))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's name
        """The line without the traceback: a line break in a message starts no line of its own."""
        return printable(super().formatMessage(record))


def set_up(verbosity: int) -> None:
    """0: no lines. 1: what portmap decides. 2: the messages on the wire too."""
    logger = logging.getLogger("portmap")
    logger.propagate = False
    if verbosity == 0:
        logger.addHandler(logging.NullHandler())
        return
    handler = logging.StreamHandler()
    handler.setFormatter(PrintableFormatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO if verbosity == 1 else logging.DEBUG)
