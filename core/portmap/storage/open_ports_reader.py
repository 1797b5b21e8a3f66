"""OpenPortsReader: what `portmap open` has left open, for a session that holds one of these ports, too.

Rules:
- Nothing is taken over or changed: what is noted there belongs to `portmap close`.
- The folder is read again where it has changed; trouble with it costs this knowledge only.
"""

import logging
from collections import defaultdict
from pathlib import Path

from portmap.errors import SpecError
from portmap.model import Key
from portmap.storage.journal import JournalEntry
from portmap.storage.journal_reader import read_journals
from portmap.storage.open_ports import FOLDER

_log = logging.getLogger("portmap.state")


class OpenPortsReader:
    """The mappings, or with `ipv6` the pinholes, in the state folder `state`."""

    def __init__(self, state: Path, *, ipv6: bool) -> None:
        self._folder = state / FOLDER
        self._ipv6 = ipv6
        self._changed_at = -1
        self._entries: dict[Key, list[JournalEntry]] = {}

    def entries_of(self, key: Key, now: float) -> tuple[JournalEntry, ...]:
        """Those of that key, at whichever gateway, that may be open at unix time `now`."""
        try:
            changed_at = self._folder.stat().st_mtime_ns
            if changed_at != self._changed_at:
                self._read()
                self._changed_at = changed_at
        except (OSError, SpecError) as error:
            _log.debug("what 'portmap open' has left is not known: %s", error)
            self._entries = {}
        return tuple(entry for entry in self._entries.get(key, ()) if entry.may_be_held(now))

    def _read(self) -> None:
        entries: dict[Key, list[JournalEntry]] = defaultdict(list)
        for session in read_journals(self._folder):
            for entry in session.journal.entries:
                if entry.ipv6 == self._ipv6:
                    entries[entry.key].append(entry)
        self._entries = entries
