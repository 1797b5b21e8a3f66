"""TableReader: what a gateway's table says of one external port, by whichever of its two actions can be believed.

GetSpecificPortMappingEntry is asked first. Many routers refuse it, answer with empty values, or say 714 although the
entry is there; GetGenericPortMappingEntry, row by row, is the second witness then. Where there is none, the table is
called unknown, and the caller decides what a grant is worth. Raises portmap errors only.
"""

import logging
import time
from collections.abc import Iterator
from typing import NamedTuple

from portmap.errors import Garbled, GatewayTimeout, Refused
from portmap_upnp.control.soap import ActionMissing, ErrorWithoutCode, Unreadable
from portmap_upnp.control.upnp_errors import ACTION_FAILED, INVALID_ARGS, INVALID_INDEX, NO_SUCH_ENTRY
from portmap_upnp.control.wan_connection import PortMappingEntry, TableRow, WanActions
from portmap_upnp.mapping.internal_client import parse_client
from portmap_upnp.mapping.port_forward import PortForward, lease_not_extended

MAX_ROWS = 256  # a home router has room for some dozens
SCAN_TIMEOUT = 2.5  # seconds for reading the whole table, of the 8 that a hook has
_ILLEGIBLE = PortMappingEntry("an entry that cannot be read", 0, "?", 0)
_log = logging.getLogger("portmap.upnp")


class Reading(NamedTuple):
    """What the table says: an entry, none, or (`known` False) nothing that can be believed."""

    entry: PortMappingEntry | None = None
    known: bool = True

    def is_like(self, other: "Reading") -> bool:
        """Whether both say the same, but for the lease, which runs down between two looks."""
        mine, its = (it.entry and it.entry._replace(lease=0) for it in (self, other))
        return (mine, self.known) == (its, other.known)

    def is_right(self, before: "Reading", asked: int, whole: int) -> bool:
        """Whether the entry is there, switched on, and its lease extended; `whole` is the lifetime granted last."""
        entry = self.entry
        return entry is not None and entry.enabled and not lease_not_extended(before.entry, entry, asked, whole)


UNKNOWN = Reading(known=False)


class TableReader:
    """Reads the table of one gateway, and remembers which of its actions can be believed."""

    def __init__(self) -> None:
        self._specific_fails = False
        self._illegible = 0
        self.shows_entries = False
        """Whether the last entry that was made was shown when it was asked for."""

    def look(self, wan: WanActions, forward: PortForward) -> Reading:
        """What holds the external port before we ask for it."""
        reading = self._specific(wan, forward)
        return reading if reading.known else self._scan(wan, forward)

    def look_for_ours(self, wan: WanActions, forward: PortForward, *, held: bool = False) -> Reading:
        """What holds the external port that may be ours, and is if `held`.

        A denial counts where an entry was shown so, by both witnesses, or by the only one where we hold nothing.
        """
        reading = self.look(wan, forward)
        if reading != Reading() or self.shows_entries or self._specific_fails:
            return reading
        scanned = self._scan(wan, forward)
        self._specific_fails = scanned.entry is not None
        return scanned if scanned.entry or held else reading

    def confirm(self, wan: WanActions, forward: PortForward) -> Reading:
        """What holds the external port after the gateway said yes: both witnesses are asked where the first denies."""
        specific = self._specific(wan, forward)
        self.shows_entries = specific.entry is not None and specific.entry is not _ILLEGIBLE
        if self.shows_entries:
            return specific
        scanned = self._scan(wan, forward)
        if scanned.entry is not None or not scanned.known:  # it denied what the other shows, or the gateway granted
            self._specific_fails = True
        return scanned

    def had_nothing(self, wan: WanActions, forward: PortForward, refusal: Refused | ErrorWithoutCode) -> bool:
        """Whether a deletion was refused for want of an entry. Some say 402, 501 or a bare 500 to that."""
        code = refusal.code if isinstance(refusal, Refused) else ACTION_FAILED
        if code in (NO_SUCH_ENTRY, INVALID_INDEX):
            return True
        return code in (INVALID_ARGS, ACTION_FAILED) and self.look(wan, forward) == Reading()

    def _specific(self, wan: WanActions, forward: PortForward) -> Reading:
        if self._specific_fails:
            return UNKNOWN
        try:
            entry = wan.entry(*forward.key)
        except (Refused, ActionMissing, ErrorWithoutCode) as error:
            _log.info("the gateway does not tell about one entry, so its whole table is read: %s", error)
            self._specific_fails = True
            return UNKNOWN
        except Unreadable as error:
            return self._cannot_read(error)
        self._illegible = 0
        if entry is not None and not _is_shown(entry):
            return UNKNOWN
        return Reading(entry)

    def _cannot_read(self, error: Garbled) -> Reading:
        """Either one entry has odd characters or, if every port is answered so, the action is useless."""
        _log.debug("an entry cannot be read: %s", error)
        self._illegible += 1
        if self._illegible > 1:
            self._specific_fails = True
            return UNKNOWN
        return Reading(_ILLEGIBLE)

    def _scan(self, wan: WanActions, forward: PortForward) -> Reading:
        """Read row by row until the entry or the end."""
        complete = False
        for row in readable_rows(wan, MAX_ROWS, time.monotonic() + SCAN_TIMEOUT):
            if row is None:
                complete = True
            elif (row.protocol.upper(), row.external_port) == (forward.protocol, forward.external_port):
                entry = PortMappingEntry(row.client, row.internal_port, row.description, row.lease, row.enabled)
                return Reading(entry) if _is_shown(entry) else UNKNOWN
        return Reading(known=complete)

    def find(self, wan: WanActions, forward: PortForward, description: str) -> int:
        """The external port of an entry with this description that leads where the forward does; 0 for none."""
        for row in readable_rows(wan, MAX_ROWS, time.monotonic() + SCAN_TIMEOUT):
            if row is None or (row.protocol.upper(), row.description) != (forward.protocol, description):
                continue
            if forward.is_in(PortMappingEntry(row.client, row.internal_port, row.description, row.lease)):
                return row.external_port
        return 0


def _is_shown(entry: PortMappingEntry) -> bool:
    """Whether the entry says where it leads. Empty values mean none, or one that the gateway does not show."""
    client = parse_client(entry.client)
    return bool(entry.client.strip()) and entry.port != 0 and (client is None or not client.is_unspecified)


def readable_rows(wan: WanActions, limit: int, deadline: float) -> Iterator[TableRow | None]:
    """The rows that can be read, then None if the table has come to its end and every row could be read."""
    seen: set[tuple[str, int, str]] = set()
    all_read = True
    for index in range(limit):
        if time.monotonic() >= deadline:
            return
        try:
            row = wan.table_row(index)
        except Unreadable as error:
            _log.debug("row %d cannot be read: %s", index, error)
            all_read = False
            continue
        except (Refused, Garbled, ActionMissing, GatewayTimeout) as error:
            _log.debug("the table ends at row %d: %s", index, error)
            if all_read and _is_end(index, error):
                yield None
            return
        if (row.protocol, row.external_port, row.remote_host) in seen:  # some routers begin again
            yield None
            return
        seen.add((row.protocol, row.external_port, row.remote_host))
        yield row


def _is_end(index: int, error: Exception) -> bool:
    """Whether the table ends here. At the first row most codes may as well mean that the action fails."""
    if index > 0:
        return isinstance(error, Refused | ErrorWithoutCode)
    return isinstance(error, Refused) and error.code in (INVALID_INDEX, NO_SUCH_ENTRY)
