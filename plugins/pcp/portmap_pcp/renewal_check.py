"""Whether the server extends what it renews. miniupnpd 1.9 answers a renewal with success and keeps the old end.

One question right after the old end shows it: another internal port is asked to be mapped to the same external port,
or to none (PREFER_FAILURE, RFC 6887 §13.2). A server that extended the mapping refuses, and nothing has changed. One
that did not grants the port; it is given back at once, and from then on each mapping is deleted and opened again in
place of a renewal.
"""

import logging
from collections.abc import Callable
from threading import Timer
from typing import TypeAlias

from portmap.errors import NATError
from portmap.model import Protocol

log = logging.getLogger("portmap.pcp")

Key: TypeAlias = tuple[Protocol, int]
"""Protocol and internal port."""
IsFree: TypeAlias = Callable[[Protocol, int], bool]
"""Whether the external port is free at the server; on any thread. Raises NATError where that cannot be told."""

MARGIN = 0.5  # seconds after the old end; a server counts in whole seconds


class RenewalCheck:
    """Asks once about one server. `tell` is called with the reason if it does not extend; from a thread of its own."""

    def __init__(self, is_free: IsFree, tell: Callable[[str], None]) -> None:
        self.extends = True
        """What is known of the server: whether a renewal extends a mapping."""
        self._is_free = is_free
        self._tell = tell
        self._ends: dict[Key, tuple[int, float]] = {}
        self._checked: Key | None = None
        self._timer: Timer | None = None

    def granted(self, key: Key, external_port: int, lifetime: int, now: float) -> None:
        """A mapping was opened or renewed. The first renewal is checked after the old end."""
        port, end = self._ends.get(key, (0, now))
        self._ends[key] = external_port, now + lifetime
        if self._checked is None and port == external_port and end > now:
            self._checked = key
            self._timer = Timer(end - now + MARGIN, self._check, (key, external_port))
            self._timer.daemon = True
            self._timer.start()

    def is_held(self, key: Key, now: float) -> bool:
        """Whether the server holds this mapping, as far as we know."""
        return self._ends.get(key, (0, now))[1] > now

    def deleted(self, key: Key) -> None:
        """The mapping was deleted: there is nothing to be checked by it."""
        self._ends.pop(key, None)
        if key == self._checked and self._timer is not None and self._timer.is_alive():
            self.stop()

    def stop(self) -> None:
        """Ask no more; another renewal may be checked later."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._checked = None

    def _check(self, key: Key, external_port: int) -> None:
        protocol, internal_port = key
        try:
            self.extends = not self._is_free(protocol, external_port)
        except NATError as error:
            log.debug("it cannot be told whether renewals extend a mapping: %s", error)
            return
        if not self.extends:
            self._tell(f"{protocol} {internal_port} has run out, although its renewal was granted")
