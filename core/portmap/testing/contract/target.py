"""The target under test: where a publisher's messages arrive, and what a contract must be able to do to it.

Every ability is optional. A promise that needs a missing one is skipped, with that for a reason.
"""

from collections.abc import Collection
from typing import ClassVar, NoReturn

import pytest


class Target:
    """Subclass it for a target of your own; override what it can do.

    `keeps_what_was_lost`: it goes on showing a port that is shut, because that is better than none.
    """

    keeps_what_was_lost: ClassVar[bool] = False

    def ports(self) -> Collection[int]:
        """The external ports that it shows now."""
        self._cannot("ports()", "tell what it shows")

    def kill(self) -> None:
        """From now on nothing can be published to it."""
        self._cannot("kill()", "be gone")

    def revive(self) -> None:
        """It is there again."""
        self._cannot("revive()", "come back")

    def _cannot(self, method: str, what: str) -> NoReturn:
        pytest.skip(f"the target under test cannot {what}: override {type(self).__name__}.{method}")
