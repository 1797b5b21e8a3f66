"""What portmap remembers of the mappings that it made on this host, and which rows of a gateway's table they are."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

from portmap.model import Listed, Protocol
from portmap.storage.journal_reader import SessionJournal, read_journals
from portmap.storage.open_ports import FOLDER

_HERE = "this host"


def remembered_rows(folder: Path) -> Iterator[Listed]:
    """What the journals of this host say: those of sessions, and that of `portmap open`.

    Raises SpecError for a folder that cannot be read.
    """
    now = time.time()
    for journal in read_journals(folder):
        yield from _rows(journal, f"process {journal.pid}" if journal.alive else "a process that is gone", now)
    for journal in read_journals(folder / FOLDER):
        yield from _rows(journal, "portmap open", now)


def _rows(journal: SessionJournal, who: str, now: float) -> Iterable[Listed]:
    for entry in journal.open_entries(now):
        left = 0 if entry.expires is None else max(1, round(entry.expires - now))
        where = f"{entry.gateway}, by {who}"
        client = _HERE if entry.client is None else str(entry.client)
        yield Listed(entry.protocol, entry.external_port, client, entry.internal_port, left, where, ours=True)


def marked(table: Iterable[Listed], remembered: Iterable[Listed], us: IPv4Address | None) -> tuple[Listed, ...]:
    """The table, with what we made by a protocol that leaves no mark: it leads where we remember it to lead.

    `us`: our address towards the gateway.
    """
    ours = {_place(row, row.client) for row in remembered}
    return tuple(
        replace(row, ours=True) if _place(row, _HERE if row.client == str(us) else row.client) in ours else row
        for row in table
    )


def _place(row: Listed, client: str) -> tuple[Protocol, int, str, int]:
    return row.protocol, row.external_port, client, row.internal_port
