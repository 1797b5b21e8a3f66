"""OpenPorts: what `portmap open` has left open at gateways, for `portmap close`.

It is kept beside the journals of sessions, in a folder of its own, so that no session takes it for a leftover.
"""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

from portmap.model import Key
from portmap.storage.journal import Journal, JournalEntry
from portmap.storage.journal_store import JournalStore

FOLDER = "open"  # in the state folder

_Place: TypeAlias = tuple[str, bool, Key]


class OpenPorts:
    """The mappings that may still be open. Without a state folder nothing is remembered.

    `ended`: those whose lease has run out since; the next change forgets them.
    """

    def __init__(self, state: Path | None) -> None:
        self._store = None if state is None else JournalStore(state / FOLDER)
        journals = () if self._store is None else self._store.take_over()
        now = time.time()
        self._hints = dict(hint for journal in journals for hint in journal.hints)
        known = {_place(entry): entry for journal in journals for entry in journal.entries}
        self._entries = {place: entry for place, entry in known.items() if entry.may_be_held(now)}
        self.is_saved = True
        """Whether all that was told could be written down."""
        self.ended = tuple(entry for place, entry in known.items() if place not in self._entries)

    @property
    def entries(self) -> tuple[JournalEntry, ...]:
        """What is still open, as far as we know."""
        return tuple(self._entries.values())

    def hint_for(self, spec: str) -> str:
        """What helps the backend of that spec to find its gateway again."""
        return self._hints.get(spec, "")

    def entry_at(self, gateway: str, key: Key, *, ipv6: bool) -> JournalEntry | None:
        """The mapping of that key at that gateway."""
        return self._entries.get((gateway, ipv6, key))

    def add(self, entry: JournalEntry, hint: str = "") -> bool:
        """Note a mapping, and its backend's hint; whether it could be written down."""
        self._entries[_place(entry)] = entry
        if hint:
            self._hints[entry.spec] = hint
        return self._save()

    def remove(self, entries: Iterable[JournalEntry]) -> None:
        """Forget mappings that are closed."""
        for entry in entries:
            self._entries.pop(_place(entry), None)
        self._save()

    def close(self) -> None:
        """Let the next command have it."""
        if self._store is not None:
            self._store.close()

    def _save(self) -> bool:
        journal = Journal(self.entries, tuple(sorted(self._hints.items())))
        self.is_saved = self._store is None or self._store.save(journal)
        return self.is_saved


def _place(entry: JournalEntry) -> _Place:
    return entry.gateway, entry.ipv6, entry.key
