"""Where portmap's log lines go: nowhere unless asked for, for people read events; to stderr with -v and -vv."""

import logging


def set_up(verbosity: int) -> None:
    """0: nothing. 1: what portmap thinks. 2: the wire too."""
    logger = logging.getLogger("portmap")
    logger.propagate = False
    if verbosity == 0:
        logger.addHandler(logging.NullHandler())
        return
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO if verbosity == 1 else logging.DEBUG)
