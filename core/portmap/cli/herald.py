"""Tells the service manager how the sessions are doing: that they have started, what holds, and that we live.

Law: started means that every mapping was tried once, whatever came of it: a service that waits for a gateway to come up
has started. The watchdog is fed by who asks for `beat`, and only while all sessions live: no thread of ours feeds it.
"""

import time
from collections.abc import Callable, Iterable

from portmap.events import Event
from portmap.model import Key
from portmap.notify import STOPPING, WATCHDOG, Notifier, ready, reloading, status_is
from portmap.summary import Summary


class Herald:
    """The service manager's view of the sessions. `notifier` may lead nowhere; then this costs next to nothing."""

    def __init__(self, notifier: Notifier, clock: Callable[[], float] = time.monotonic) -> None:
        self._notifier = notifier
        self._clock = clock
        self._summary = Summary()
        self._told = ""
        self._ready = False

    @property
    def pace(self) -> float | None:
        """The seconds between two beats: half of the watchdog's, as sd_watchdog_enabled(3) asks; None: no watchdog."""
        return None if self._notifier.watchdog is None else self._notifier.watchdog / 2

    def expect(self, session: str, keys: Iterable[Key]) -> None:
        """A session begins, with these mappings, or is given more of them."""
        self._summary.expect(session, keys)

    def forget(self, session: str) -> None:
        """A session has ended."""
        self._summary.forget(session)
        self.tell()

    def note(self, session: str, event: Event) -> None:
        """A session has told something."""
        self._summary.note(session, event)
        self.tell()

    def tell(self) -> None:
        """Say what is new, if anything is."""
        line = self._summary.line()
        if not self._ready and self._summary.is_settled:
            self._ready = True
            self._notifier.tell(ready(line))
        elif line != self._told:
            self._notifier.tell(status_is(line))
        self._told = line

    def reloading(self) -> None:
        """The configuration is read again."""
        self._notifier.tell(reloading(self._clock()))

    def reloaded(self) -> None:
        """The new configuration holds, or the old one still does."""
        self._ready = True
        self._told = self._summary.line()
        self._notifier.tell(ready(self._told))

    def stopping(self) -> None:
        """The end has begun."""
        self._notifier.tell(STOPPING)

    def beat(self) -> None:
        """We live."""
        self._notifier.tell(WATCHDOG)
