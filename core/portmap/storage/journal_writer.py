"""JournalWriter: stands between the loop and its listener, and keeps the journal in step with the events.

Rules:
- The file is written once a burst of events, not once an event.
- Kept is only what helps the next session: the external port, and whether the gateway may still hold the mapping.
"""

import time
from collections.abc import Callable
from dataclasses import replace

from portmap.events import (
    Event,
    GatewayFound,
    Listener,
    PortAdded,
    PortChanged,
    PortEvent,
    PortLost,
    PortRemoved,
    PortRenewed,
)
from portmap.model import Key
from portmap.storage.journal import Journal, JournalEntry, merged
from portmap.storage.journal_store import JournalStore


class JournalWriter:
    """A listener that writes down what it passes on. `clock` gives unix seconds.

    `backend` names the backend whose hint is kept, `hint` gives it. Set `token_of` and `inner_port_of` to functions
    that give a mapping's token and the internal port by which the gateway knows it.
    """

    def __init__(
        self,
        listener: Listener,
        state: JournalStore,
        backend: str = "",
        hint: Callable[[], str] = str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._listener = listener
        self._state = state
        self._backend = backend
        self._hint = hint
        self._clock = clock
        self._gateway = ""
        self._news = False
        self.token_of: Callable[[Key], str] = lambda _: ""
        self.inner_port_of: Callable[[Key], int] = lambda _: 0
        self.inherited = merged(state.take_over())
        self._hints = dict(self.inherited.hints)
        self._entries: dict[Key, JournalEntry] = {entry.key: entry for entry in self.inherited.entries}

    def on_event(self, event: Event) -> None:
        """Take note, and pass it on."""
        self._news = True
        self._note(event)
        self._listener.on_event(event)

    def on_settled(self) -> None:
        """Write what was noted, and pass it on."""
        if self._news and self._gateway and (hint := self._hint()):
            self._hints[self._backend] = hint
        self._news = False
        entries = tuple(self._entries[key] for key in sorted(self._entries))
        self._state.save(Journal(entries, tuple(sorted(self._hints.items()))))
        self._listener.on_settled()

    def on_leftover_deleted(self, key: Key) -> None:
        """A leftover is gone from the gateway; unless we have mapped the same anew since, elsewhere."""
        if self._entries[key] in self.inherited.entries:
            self._forget(key)

    def _note(self, event: Event) -> None:
        match event:
            case GatewayFound():
                self._gateway = event.gateway
            case PortAdded() | PortChanged() | PortRenewed():
                self._entries[event.key] = self._entry(event)
            case PortRemoved() if event.error:
                pass  # the gateway did not confirm: it may still be there
            case PortLost() | PortRemoved() if event.key in self._entries:
                self._forget(event.key)
            case _:
                pass

    def _entry(self, event: PortEvent) -> JournalEntry:
        expires = self._clock() + event.lifetime if event.lifetime else None
        mapped = event.protocol, event.internal_port, event.external_port or 0
        key = event.key
        return JournalEntry(
            self._gateway, *mapped, expires, token=self.token_of(key), inner_port=self.inner_port_of(key)
        )

    def _forget(self, key: Key) -> None:
        self._entries[key] = replace(self._entries[key], held=False)
