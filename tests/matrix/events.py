"""What can be done to a router while it runs."""

from collections.abc import Callable

from portmap.simulator.quirk_options import parse_quirks
from portmap.testing import Quirks, Router


def becomes(*words: str) -> Callable[[Router], None]:
    """The router changes its character: it has these quirks from now on, none for no words."""
    quirks: Quirks = parse_quirks(words)

    def change(router: Router) -> None:
        router.quirks = quirks

    return change


def moves(router: Router) -> None:
    """The line gets another address."""
    router.external_ip = "5.6.7.8"
