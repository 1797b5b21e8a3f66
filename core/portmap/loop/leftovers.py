"""Deletes what an earlier session left at the gateway and this one does not want, when there is time. Loop thread only.

Rules:
- Only mappings that the journal says we made are deleted, and only at the gateway where we made them.
- The backend checks on its own whose mapping it is.
- What `portmap open` had left open is left.
"""

import logging
from math import inf
from typing import TYPE_CHECKING

from portmap.backends.nat import Nat
from portmap.backoff import backoff
from portmap.errors import SILENCE, NATError, PluginError
from portmap.loop.lease import MAX_RETRY, RETRY_FIRST
from portmap.model import Key

if TYPE_CHECKING:  # a session without a state folder does not import it
    from portmap.storage.journal import JournalEntry
    from portmap.storage.journal_writer import JournalWriter

_log = logging.getLogger("portmap.loop")


class LeftoverCleaner:
    """Deletes the leftovers that `journal` inherited, one at a time, and notes each in the journal.

    `now` is unix time in seconds: what has run out by then needs no deleting.
    """

    def __init__(self, nat: Nat, journal: "JournalWriter | None", now: float) -> None:
        self._nat = nat
        self._journal = journal
        inherited = () if journal is None else journal.inherited.entries
        self._left = [entry for entry in inherited if entry.may_be_held(now)]
        self._failures = 0
        self._not_before = -inf

    @property
    def due(self) -> float:
        """When there is something to delete here, on the loop's clock; what is elsewhere waits until we are back."""
        here = str(self._nat) if self._left else ""
        return self._not_before if any(entry.gateway == here for entry in self._left) else inf

    def back_off(self, now: float) -> None:
        """The gateway did not answer a deletion, whatever else it answers: ask less and less often."""
        self._not_before = now + backoff(self._failures, RETRY_FIRST, MAX_RETRY)
        self._failures += 1

    def claim(self, key: Key, inner_port: int) -> None:
        """The mapping that leads to this port is wanted again: it is taken over, not deleted."""
        self._left = [entry for entry in self._left if (entry.key, entry.target_port) != (key, inner_port)]

    def delete_one(self, timeout: float) -> None:
        """Delete the next leftover. Raises NATError where the gateway is silent: try again when it is not."""
        here = str(self._nat)
        entry = next(entry for entry in self._left if entry.gateway == here)
        if self._belongs_to_open(entry):
            _log.info("%s of an earlier session is left to 'portmap open'", entry.key)
            self._forget(entry)
            return
        try:
            self._nat.delete_mapping(
                entry.protocol, entry.external_port, entry.target_port, timeout, entry.token, client=entry.client
            )
        except SILENCE:
            raise
        except (NATError, PluginError) as error:
            _log.warning("%s of an earlier session could not be deleted: %s", entry.key, error)
        else:
            _log.info("%s of an earlier session is deleted", entry.key)
            self._forget(entry)
            return
        self._left.remove(entry)

    def _belongs_to_open(self, entry: "JournalEntry") -> bool:
        journal = self._journal
        had = None if journal is None else journal.seconds_left_open(entry.key, entry.external_port, entry.client)
        return had is not None

    def _forget(self, entry: "JournalEntry") -> None:
        """It is no longer ours."""
        if self._journal is not None:
            self._journal.leftover_deleted(entry.key)
        self._left.remove(entry)
