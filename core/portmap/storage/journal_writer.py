"""JournalWriter: keeps a session's journal in step with its leases.

Rules:
- A new mapping is written at once, so that it is in the file before it is told. From MANY mappings on, and
  for every other change, the file is written once per burst of changes.
- Kept is only what helps the next session: the external port, and whether the gateway may still hold the mapping.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from portmap.gateway_names import is_same_gateway
from portmap.model import MAX_LIFETIME, Key, Mapping
from portmap.storage.journal import Journal, JournalEntry, merged
from portmap.storage.journal_store import JournalStore

if TYPE_CHECKING:
    from portmap.storage.open_ports_reader import OpenPortsReader

MANY = 100  # mappings; to write that many takes 1 ms, and ten times as many 6 ms


class JournalWriter:
    """Notes what becomes of each mapping. `inherited`: what dead sessions left. Loop thread only.

    `gateway` gives the gateway's name, `hint` what helps the backend `backend` to find it again; `clock` unix seconds;
    `open_ports` what `portmap open` has left open, which belongs to no session.
    """

    def __init__(
        self,
        store: JournalStore,
        gateway: Callable[[], str],
        backend: str = "",
        hint: Callable[[], str] = str,
        clock: Callable[[], float] = time.time,
        open_ports: "OpenPortsReader | None" = None,
    ) -> None:
        self._store = store
        self._gateway = gateway
        self._backend = backend
        self._hint = hint
        self._clock = clock
        self._open_ports = open_ports
        self.inherited = merged(store.take_over())
        self._hints = dict(self.inherited.hints)
        self._entries: dict[Key, JournalEntry] = {entry.key: entry for entry in self.inherited.entries}

    def earlier(self, key: Key, now: float) -> tuple[JournalEntry | None, bool]:
        """What is known of a mapping, and whether a session may have left it at its gateway at unix time `now`.

        What `portmap open` has left open is known, too, for its token.
        """
        inherited = self.inherited.entry_of(key)
        if inherited is not None and inherited.may_be_held(now):
            return inherited, True
        return next(iter(self._left_open(key)), inherited), False

    def seconds_left_open(self, key: Key, external_port: int, client: IPv4Address | None) -> int | None:
        """For how long `portmap open` has left this mapping open here, in seconds, 0: for good; None: it has not."""
        here = self._gateway()
        for entry in self._left_open(key):
            is_same = (entry.external_port, entry.client) == (external_port, client)
            if is_same and is_same_gateway(entry.gateway, here):
                if entry.expires is None:
                    return 0
                return round(min(max(entry.expires - self._clock(), 1), MAX_LIFETIME))
        return None

    def _left_open(self, key: Key) -> tuple[JournalEntry, ...]:
        return () if self._open_ports is None else self._open_ports.entries_of(key, self._clock())

    def granted(self, mapping: Mapping, token: str, target_port: int, client: IPv4Address | None = None) -> None:
        """The gateway opened or extended it.

        `target_port`, `client`: the internal port and the host by which the gateway knows it, None for this host.
        """
        expires = self._clock() + mapping.lifetime if mapping.lifetime else None
        mapped = mapping.protocol, mapping.internal_port, mapping.external_port
        entry = JournalEntry(
            self._gateway(), *mapped, expires, token=token, inner_port=target_port, host=mapping.host, client=client
        )
        known = self._entries.get(entry.key)
        self._entries[entry.key] = entry
        is_new = known is None or replace(known, expires=expires) != entry
        if is_new and len(self._entries) <= MANY:
            self.save()

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
