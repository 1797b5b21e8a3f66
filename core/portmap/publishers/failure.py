"""Failure: what a publisher raised, read once and made safe to keep.

Rules:
- What a plugin raises may be anything: its text may hang, raise, or be a million characters of escapes. It is read on
  the publisher's own thread, while no lock is held, and nothing of it is kept but what is here.
"""

from contextlib import suppress
from types import TracebackType
from typing import Any, NamedTuple

from portmap.errors import PortmapError, Refused, error_name
from portmap.loading.time_limit import PluginRaised, class_name, text_of
from portmap.printable import printable


class Failure(NamedTuple):
    """`reason`: for people. `error`: the name of its class. `retry_after`: seconds that the target asked for, or 0.

    `fault`: for the log, where it was no error of ours: an error with the plugin's traceback.
    """

    reason: str
    error: str
    retry_after: float = 0.0
    fault: PluginRaised | None = None


def failure_of(raised: BaseException, trace: TracebackType | None) -> Failure:
    """What was raised, with its traceback. It may hang: for threads that nothing waits for."""
    kind = class_name(raised)
    reason = printable(text_of(raised)) or kind
    if not isinstance(raised, PortmapError):
        return Failure(reason, kind, fault=PluginRaised(kind, reason).with_traceback(trace))
    with suppress(Exception):  # a class of the plugin's own, derived from ours, may raise anything
        kind = error_name(raised) or kind
    return Failure(reason, kind, _retry_after(raised))


def _retry_after(error: PortmapError) -> float:
    """The seconds that the target asked us to wait. A plugin set it, so it may be anything."""
    with suppress(Exception):  # as above
        seconds: Any = error.retry_after if isinstance(error, Refused) else 0.0
        if isinstance(seconds, int | float) and seconds > 0:
            return float(seconds)
    return 0.0
