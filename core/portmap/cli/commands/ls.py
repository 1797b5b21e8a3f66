"""`portmap ls`: the router's own table, and whose is ours."""

from dataclasses import asdict
from pathlib import Path

from portmap.cli import logs
from portmap.cli.commands.gateway_table import ask_for_table
from portmap.cli.commands.remembered import remembered_rows
from portmap.cli.exit_codes import print_error
from portmap.cli.output.json_and_tables import print_json, print_table
from portmap.model import Listed
from portmap.printable import printable
from portmap.syntax.durations import format_lifetime

_HEADS = ("PROTO", "EXT", "CLIENT", "INT", "LEASE", "DESCRIPTION", "OURS")


def print_gateway_table(nat: str, folder: Path | None, *, mine: bool, as_json: bool) -> None:
    """Print the table of the gateway that a spec names; `folder` is where we remember what we made, if anywhere.

    Raises PortmapError.
    """
    logs.set_up(0)
    remembered = () if folder is None else tuple(remembered_rows(folder))  # first: a wrong folder is a mistake
    answer = ask_for_table(nat, remembered).answer
    rows = remembered if answer.table is None else answer.table
    shown = [row for row in rows if row.ours or not mine]
    if as_json:
        print_json(gateway=answer.gateway, complete=answer.table is not None, mappings=[asdict(row) for row in shown])
        return
    if answer.table is None:
        what = ": these are ours, as far as portmap remembers" if shown else ", and portmap remembers none of ours"
        print_error(f"{answer.gateway} cannot list its mappings{what}")
    elif not shown:
        print_error(f"{answer.gateway} lists no mapping{' of ours' if mine else ''}")
    if shown:
        print_table(_HEADS, (_cells(row) for row in shown))


def _cells(row: Listed) -> tuple[str, ...]:
    lease = format_lifetime(row.lifetime)
    ours = "yes" if row.ours else "-"
    client, words = printable(row.client), printable(row.description) or "-"
    return row.protocol.value, str(row.external_port), client, str(row.internal_port), lease, words, ours
