"""A time limit for a stranger's code that should only compute: importing a plugin, reading its argument.

Law: what overruns is left behind on a daemon thread, which holds up nobody, not even the end of the process.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

from portmap.errors import PluginError

T = TypeVar("T")

SECONDS = 5.0  # importing the largest of ours takes 0.1 s on a slow machine


def call_with_limit(work: Callable[[], T], what: str, seconds: float = SECONDS) -> T:
    """What `work` returns or raises. Raises PluginError, which tells `what` it was, if that takes too long."""
    call: Future[T] = Future()
    threading.Thread(target=complete, args=(call, work), name=what, daemon=True).start()
    wait((call,), seconds)
    if not call.done():
        raise PluginError(f"{what} did not come back within {seconds:g} s: it must not wait for anything there")
    return call.result()


def call_without_limit(work: Callable[[], T], _what: str) -> T:
    """The same without a limit, for one who stands on a thread of its own that nobody waits for."""
    return work()


def complete(call: Future[T], work: Callable[[], T]) -> None:
    """Do the work, and give the call what it returned or raised."""
    try:
        call.set_result(work())
    except BaseException as error:  # noqa: BLE001  # handed to the caller, whatever it is
        call.set_exception(error)
