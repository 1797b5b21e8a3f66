"""JournalWriter: keeps a session's journal in step with its leases.

Rules:
- The file is written once per burst of changes, not once per change.
- Kept is only what helps the next session: the external port, and whether the gateway may still hold the mapping.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address

from portmap.model import Key, Mapping
from portmap.storage.journal import Journal, JournalEntry, merged
from portmap.storage.journal_store import JournalStore


class JournalWriter:
    """Notes what becomes of each mapping. `inherited`: what dead sessions left. Loop thread only.

    `gateway` gives the gateway's name, `hint` what helps the backend `backend` to find it again; `clock` unix seconds.
    """

    def __init__(
        self,
        store: JournalStore,
        gateway: Callable[[], str],
        backend: str = "",
        hint: Callable[[], str] = str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._gateway = gateway
        self._backend = backend
        self._hint = hint
        self._clock = clock
        self.inherited = merged(store.take_over())
        self._hints = dict(self.inherited.hints)
        self._entries: dict[Key, JournalEntry] = {entry.key: entry for entry in self.inherited.entries}

    def granted(self, mapping: Mapping, token: str, target_port: int, client: IPv4Address | None = None) -> None:
        """The gateway opened or extended it.

        `target_port`, `client`: the internal port and the host by which the gateway knows it, None for this host.
        """
        expires = self._clock() + mapping.lifetime if mapping.lifetime else None
        mapped = mapping.protocol, mapping.internal_port, mapping.external_port
        entry = JournalEntry(
            self._gateway(), *mapped, expires, token=token, inner_port=target_port, host=mapping.host, client=client
        )
        self._entries[entry.key] = entry

    def gone(self, key: Key) -> None:
        """The gateway holds it no longer."""
        if key in self._entries:
            self._entries[key] = replace(self._entries[key], held=False)

    def leftover_deleted(self, key: Key) -> None:
        """A leftover is gone from the gateway; unless we have mapped the same anew since, elsewhere."""
        if self._entries[key] in self.inherited.entries:
            self.gone(key)

    def gateway_may_have_moved(self) -> None:
        """Ask the backend for its hint anew."""
        if hint := self._hint():
            self._hints[self._backend] = hint

    def save(self) -> None:
        """Write what was noted."""
        entries = tuple(self._entries[key] for key in sorted(self._entries))
        self._store.save(Journal(entries, tuple(sorted(self._hints.items()))))
