"""Tests that spend most of their time waiting: each runs in a lab of its own, beside the others.

Law: they begin with the session, a few at a time, and are only judged at its end. A test is one of them if it asks for
`own_lab`; it may ask for nothing else but its own parameters.
"""

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

import pytest
from tests.lab.lab import Lab

AT_ONCE = 5  # so many that the machine still has time for the tests in front


class Ordeals:
    """Runs the tests while it lasts."""

    def __init__(self, items: Iterable[pytest.Item]) -> None:
        self._items = [item for item in items if isinstance(item, pytest.Function)]

    def __enter__(self) -> Self:
        self._pool = ThreadPoolExecutor(AT_ONCE, "ordeal")
        self._outcomes: dict[str, Future[None]] = {
            item.nodeid: self._pool.submit(_undergo, item) for item in self._items
        }
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def judge(self, item: pytest.Function) -> None:
        """Wait for the test's end. Raises what it has raised."""
        self._outcomes[item.nodeid].result()


def _undergo(item: pytest.Function) -> None:
    callspec = getattr(item, "callspec", None)
    with Lab() as lab:
        lab.router.start_miniupnpd()
        item.function(own_lab=lab, **(callspec.params if callspec else {}))
