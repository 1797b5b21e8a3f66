"""`portmap ls`: the router's own table, and whose is ours."""

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

from portmap.cli import logs
from portmap.cli.commands.gateway_table import ask_for_table
from portmap.cli.exit_codes import print_error
from portmap.cli.output.formats import print_json, print_table
from portmap.errors import NoGateway
from portmap.model import Listed, Protocol
from portmap.network.routes import default_gateways, local_address_to
from portmap.printable import printable
from portmap.storage.journal_reader import SessionJournal, read_journals
from portmap.storage.open_ports import FOLDER
from portmap.syntax.durations import format_lifetime
from portmap.syntax.specs import parse_backend_spec

_HERE = "this host"
_HEADS = ("PROTO", "EXT", "CLIENT", "INT", "LEASE", "DESCRIPTION", "OURS")


def print_gateway_table(nat: str, folder: Path | None, *, mine: bool, as_json: bool) -> None:
    """Print the table of the gateway that a spec names; `folder` is where we remember what we made, if anywhere.

    Raises PortmapError.
    """
    logs.set_up(0)
    remembered = () if folder is None else tuple(_remembered(folder))  # first: a wrong folder is a mistake
    answer = ask_for_table(nat).answer
    ours = _our_addresses(parse_backend_spec(nat).interface)
    rows = remembered if answer.table is None else _marked(answer.table, remembered, ours)
    shown = [row for row in rows if row.ours or not mine]
    if as_json:
        print_json(gateway=answer.gateway, complete=answer.table is not None, mappings=[asdict(row) for row in shown])
        return
    if answer.table is None:
        print_error(f"{answer.gateway} cannot list its mappings: these are ours, as far as portmap remembers")
    if shown:
        print_table(_HEADS, (_cells(row) for row in shown))
    else:
        print_error(f"{answer.gateway} lists no mapping{' of ours' if mine else ''}")


def _marked(table: Iterable[Listed], remembered: Iterable[Listed], our_addresses: Iterable[str]) -> tuple[Listed, ...]:
    """The table, with what we made by a protocol that leaves no mark: it leads where we remember it to lead."""
    here = dict.fromkeys(our_addresses, _HERE)
    ours = {_place(row, row.client) for row in remembered}
    return tuple(
        replace(row, ours=True) if _place(row, here.get(row.client, row.client)) in ours else row for row in table
    )


def _place(row: Listed, client: str) -> tuple[Protocol, int, str, int]:
    return row.protocol, row.external_port, client, row.internal_port


def _our_addresses(interface: str | None) -> Iterator[str]:
    for gateway in default_gateways(interface):
        with suppress(NoGateway):
            yield str(local_address_to(gateway, interface))


def _remembered(folder: Path) -> Iterator[Listed]:
    """What the journals of this host say: those of sessions, and that of `portmap open`."""
    for place in (folder, folder / FOLDER):
        for holding in read_journals(place):
            yield from _rows(holding, time.time())


def _rows(holding: SessionJournal, now: float) -> Iterable[Listed]:
    who = f"process {holding.pid}" if holding.alive else "a process that is gone"
    for entry in holding.open_entries(now):
        left = 0 if entry.expires is None else max(1, round(entry.expires - now))
        where = f"{entry.gateway}, by {who}"
        client = _HERE if entry.client is None else str(entry.client)
        yield Listed(entry.protocol, entry.external_port, client, entry.internal_port, left, where, ours=True)


def _cells(row: Listed) -> tuple[str, ...]:
    lease = format_lifetime(row.lifetime)
    ours = "yes" if row.ours else "-"
    client, words = printable(row.client), printable(row.description) or "-"
    return row.protocol.value, str(row.external_port), client, str(row.internal_port), lease, words, ours
