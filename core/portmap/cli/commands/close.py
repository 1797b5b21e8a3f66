"""`portmap close`: takes back what `portmap open` left, by the backend and at the gateway that opened it.

A port that fails stops no other one, nor does output that cannot be written. Only what `portmap open` noted is closed.
With `--force` an entry of the gateway's table is deleted, ours or not, if it leads to this host.
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from portmap.backends.load import load, load_ipv6
from portmap.backends.nat import Nat
from portmap.cli import logs
from portmap.cli.commands.gateway_table import GatewayTable, ask_for_table
from portmap.cli.commands.port_results import print_closed, print_deleted, report_failures
from portmap.cli.commands.remembered import remembered_rows
from portmap.cli.exit_codes import print_error
from portmap.cli.terminal import OutputErrors
from portmap.errors import SILENCE, Conflict, NATError, NoGateway, PluginError, PortmapError, Refused, SpecError
from portmap.gateway_names import is_same_gateway
from portmap.model import Key, Listed, PortRequest
from portmap.printable import printable
from portmap.storage.journal import JournalEntry
from portmap.storage.open_ports import OpenPorts
from portmap.syntax.mappings import parse_mappings
from portmap.syntax.plugin_specs import shown_spec


def close_ports(
    nat: str | None, mappings: Sequence[str], folder: Path | None, *, mine: bool, as_json: bool = False
) -> int:
    """Take back what `open` left, as noted in the folder; with `mine` all of it. The exit code: of what went worst.

    `nat` is for a mapping of which it is not known which backend opened it. Raises SpecError.
    """
    if mine == bool(mappings):
        raise SpecError("name the mappings to close, or say --mine for all that 'portmap open' left")
    if folder is None:
        raise SpecError("without a state folder it is not known what 'portmap open' left: name it with --state")
    logs.set_up(0)
    if nat is not None:
        load(nat)
    requests = parse_mappings(mappings)
    wanted = {request.key for request in requests}
    open_ports = OpenPorts(folder)
    try:
        entries = [entry for entry in open_ports.entries if mine or entry.key in wanted]
        open_keys = {entry.key for entry in entries}
        ended = [entry for entry in open_ports.ended if entry.key in wanted - open_keys]
        known = open_keys | {entry.key for entry in ended}
        failures: list[tuple[PortRequest | JournalEntry, PortmapError]] = [
            (request, SpecError("'portmap open' left no such port open, or its lease is over: see 'portmap ls'"))
            for request in requests
            if request.key not in known
        ]
        output = OutputErrors()
        groups = dict.fromkeys((entry.spec or nat or "any", entry.ipv6, entry.gateway) for entry in entries)
        for spec, ipv6, gateway in groups:
            group = [it for it in entries if (it.spec or nat or "any", it.ipv6, it.gateway) == (spec, ipv6, gateway)]
            failures += _close_group(spec, gateway, group, open_ports, output, as_json=as_json)
        if ended:
            open_ports.remove(ended)
            with output:
                print_closed(ended, "closed", "the lease has ended", as_json=as_json)
        code = report_failures(failures, as_json=as_json)
        if not open_ports.is_saved:
            print_error(f"the state folder {folder} cannot be written to, so what is closed is still noted as open")
        output.raise_first()
        return code
    finally:
        open_ports.close()


def force_close_ports(
    nat: str | None, mappings: Sequence[str], folder: Path | None, *, mine: bool = False, as_json: bool = False
) -> int:
    """Delete the gateway's entries for these ports that lead to this host, ours or not. The exit code.

    A port alone is the external one, or the internal one where no entry has it outside. Raises PortmapError.
    """
    if mine or not mappings:
        raise SpecError("--force needs the ports, one by one: see them with 'portmap ls'")
    logs.set_up(0)
    requests = parse_mappings(mappings)
    if any(request.host for request in requests):
        raise SpecError(
            "--force deletes only what leads to this computer: run it on the other host, or delete the entry in the "
            "router's settings; what portmap opened for that host is closed without --force"
        )
    remembered = () if folder is None else tuple(remembered_rows(folder))
    open_ports = OpenPorts(folder)
    try:
        gateway = ask_for_table(nat or "any", remembered)
        output = OutputErrors()
        failures: list[tuple[PortRequest, PortmapError]] = []
        for request in requests:
            try:
                for row in _rows_of(request, gateway):
                    _force_close(row, gateway, open_ports, output, as_json=as_json)
            except PortmapError as error:
                failures.append((request, error))
        code = report_failures(failures, as_json=as_json)
        output.raise_first()
        return code
    finally:
        open_ports.close()


def _rows_of(request: PortRequest, gateway: GatewayTable) -> tuple[Listed, ...]:
    """The entries that lead to this host. Raises Refused where there is no table, and Conflict and SpecError."""
    answer = gateway.answer
    if answer.table is None:
        raise Refused(f"{answer.gateway} does not list its mappings, so it is not known where they lead")
    rows = [row for row in answer.table if row.protocol is request.protocol]
    ours = [row for row in rows if row.client == str(answer.us)]
    if request.external_port:
        found = [
            it for it in ours if (it.external_port, it.internal_port) == (request.suggested_port, request.internal_port)
        ]
    else:
        found = [it for it in ours if it.external_port == request.internal_port]
        found = found or [it for it in ours if it.internal_port == request.internal_port]
    if found:
        return tuple(found)
    for row in rows:
        if row.external_port == request.suggested_port and row not in ours:
            raise Conflict(
                f"external port {request.suggested_port} leads to {printable(row.client)}, another host: not deleted"
            )
    raise SpecError(f"{answer.gateway} lists no such entry that leads to this host: see 'portmap ls'")


def _force_close(
    row: Listed, gateway: GatewayTable, open_ports: OpenPorts, output: OutputErrors, *, as_json: bool
) -> None:
    """Delete the entry, and say so."""
    if gateway.nat is None:
        raise NoGateway(f"{gateway.answer.gateway} is gone")
    gateway.nat.force_delete(row.protocol, row.external_port, row.internal_port)
    key = Key(row.protocol, row.internal_port)
    open_ports.remove([it for it in open_ports.entries if it.key == key and it.external_port == row.external_port])
    with output:
        print_deleted(row, gateway.answer.gateway, as_json=as_json)


def _close_group(
    spec: str,
    gateway: str,
    entries: Sequence[JournalEntry],
    open_ports: OpenPorts,
    output: OutputErrors,
    *,
    as_json: bool,
) -> list[tuple[JournalEntry, PortmapError]]:
    """Close what one backend opened at one gateway, and tell; what failed."""
    try:
        nat = _backend_at(spec, gateway, open_ports.hint_for(spec), ipv6=entries[0].ipv6)
    except PortmapError as error:
        return [(entry, error) for entry in entries]
    failures: list[tuple[JournalEntry, PortmapError]] = []
    closed: list[JournalEntry] = []
    left: dict[str, list[JournalEntry]] = {}
    for entry in entries:
        try:
            if failures and isinstance(failures[-1][1], SILENCE):
                raise failures[-1][1]
            nat.delete_mapping(
                entry.protocol, entry.external_port, entry.internal_port, token=entry.token, client=entry.client
            )
        except (NATError, PluginError) as error:
            failures.append((entry, error))
            continue
        note = nat.grant_note(entry.key)
        left.setdefault(note, []).append(entry) if note else closed.append(entry)
        open_ports.remove([entry])
    with output:
        print_closed(closed, "closed", as_json=as_json)
        for note, group in left.items():
            print_closed(group, "left", note, as_json=as_json)
    return failures


def _backend_at(spec: str, gateway: str, hint: str, *, ipv6: bool) -> Nat:
    """The backend, once it has found that gateway. Raises PortmapError."""
    nat = load_ipv6(spec) if ipv6 else load(spec)
    if nat is None:
        raise SpecError(f"{shown_spec(spec)} knows no IPv6")
    if hint:
        nat.take_hint(hint)
    with suppress(Refused):  # then it is there
        nat.external_ip()
    here = str(nat)
    if not is_same_gateway(here, gateway):
        raise NoGateway(f"it was opened at {gateway}, and the gateway here is {here}: close it in that network")
    return nat
