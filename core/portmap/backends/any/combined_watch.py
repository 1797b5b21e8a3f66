"""One watch through several doors: whoever can be watched now is, the others as soon as they are there and free.

Law: all of it on one thread, that of the hooks. One door's trouble leaves the others' watches alone.
"""

import logging
from collections.abc import Callable, Iterable

from portmap.backends.nat import Nat
from portmap.errors import NATError, PluginError
from portmap.hookspecs import Alert, Closer

_log = logging.getLogger("portmap.any")


class CombinedWatch:
    """`alert_of` gives the alert for one of the doors. It watches nobody before `extend`."""

    def __init__(self, alert_of: Callable[[Nat], Alert]) -> None:
        self._alert_of = alert_of
        self._closers: dict[Nat, Closer] = {}

    def add(self, doors: Iterable[Nat]) -> None:
        """Watch these, too; who is busy would keep us waiting, and has to be named again."""
        for nat in doors:
            if nat not in self._closers and not nat.busy:
                self._closers[nat] = self._watched(nat)

    def close(self) -> None:
        """End every watch. A second time does nothing."""
        while self._closers:
            _, close = self._closers.popitem()
            close()

    def _watched(self, nat: Nat) -> Closer:
        try:
            return nat.watch(self._alert_of(nat))
        except (NATError, PluginError) as error:
            _log.warning("%s cannot watch its gateway: %s", nat.name, error)
            return _nothing


def _nothing() -> None:
    """There is no watch to end."""
