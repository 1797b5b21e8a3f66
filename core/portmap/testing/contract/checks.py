"""How a promise is put to the test: a failure is one readable line without a traceback, and a call has a time limit."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

import pytest

T = TypeVar("T")


def require(kept: bool, otherwise: str) -> None:
    """Fail with the sentence `otherwise`, unless the promise was kept."""
    __tracebackhide__ = True
    if not kept:
        pytest.fail(otherwise, pytrace=False)


def in_time(work: Callable[[], T], seconds: float, who: str) -> T:
    """Do it in a thread of its own, which is not the one that made the plugin; fail if it takes longer."""
    __tracebackhide__ = True
    result: Future[T] = Future()
    threading.Thread(target=_run, args=(work, result), name=who, daemon=True).start()
    try:
        return result.result(seconds)
    except TimeoutError:
        if result.done():  # it was the work itself that raised it
            raise
        return pytest.fail(f"{who} did not come back within {seconds:g} s", pytrace=False)


def _run(work: Callable[[], T], result: "Future[T]") -> None:
    try:
        result.set_result(work())
    except BaseException as error:  # noqa: BLE001  # handed to the waiting thread, whatever it is
        result.set_exception(error)
