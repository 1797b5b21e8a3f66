"""One watch over several backends: those that are there now, the others as soon as they are loaded and free.

One thread owns it, that of the hooks. One backend's trouble leaves the others' watches alone.
"""

import logging
from collections.abc import Callable, Iterable

from portmap.backends.nat import Nat
from portmap.errors import NATError, PluginError
from portmap.hookspecs import Alert, Closer

_log = logging.getLogger("portmap.any")


class CombinedWatch:
    """`alert_of` gives the alert for one of the backends; `on_release` is as in `Nat.watch`.

    It watches none before `add`.
    """

    def __init__(self, alert_of: Callable[[Nat], Alert], on_release: Alert | None = None) -> None:
        self._alert_of = alert_of
        self._on_release = on_release
        self._closers: dict[Nat, Closer] = {}

    def add(self, backends: Iterable[Nat]) -> None:
        """Watch these, too; one that is busy would keep us waiting, and has to be added again."""
        for nat in backends:
            if nat not in self._closers and not nat.busy:
                self._closers[nat] = self._watch(nat)

    def close(self) -> None:
        """End every watch. A second time does nothing."""
        while self._closers:
            _, close = self._closers.popitem()
            close()

    def _watch(self, nat: Nat) -> Closer:
        try:
            return nat.watch(self._alert_of(nat), self._on_release)
        except (NATError, PluginError) as error:
            _log.warning("%s cannot watch its gateway: %s", nat.name, error)
            return _nothing


def _nothing() -> None:
    """There is no watch to end."""
