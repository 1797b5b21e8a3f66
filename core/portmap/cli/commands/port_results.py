"""Prints what became of the ports that `portmap open` and `portmap close` were asked for."""

from collections.abc import Sequence

from portmap.cli.exit_codes import OK, exit_code_of, print_error
from portmap.cli.output.json_and_tables import print_json
from portmap.cli.output.open_ports import OpenedPort, closed_lines
from portmap.errors import PortmapError
from portmap.model import Listed, PortRequest
from portmap.printable import printable
from portmap.storage.journal import JournalEntry

SHOWN = 8  # ports that are told one by one in an error


def report_failures(failures: Sequence[tuple[PortRequest | JournalEntry, PortmapError]], *, as_json: bool) -> int:
    """Tell each failure; the highest exit code. Ports that failed for the same reason share a line."""
    ports: dict[str, list[str]] = {}
    for what, error in failures:
        is_pinhole = isinstance(what, JournalEntry) and what.ipv6
        ports.setdefault(str(error), []).append(f"{what.key.typed} over IPv6" if is_pinhole else what.key.typed)
        if as_json:
            print_json(
                event="error",
                error=type(error).__name__,
                reason=str(error),
                exit=exit_code_of(error),
                protocol=what.protocol,
                internal_port=what.internal_port,
                **host_field(what.host),
                **({"ipv6": what.ipv6} if isinstance(what, JournalEntry) else {}),
            )
    for reason, names in ports.items():
        shown = (
            " ".join(names) if len(names) <= SHOWN else f"{names[0]} … {names[-1]} ({len(names)} ports)"
        )  # a line's worth
        print_error(f"{shown}: {reason}")
    return max((exit_code_of(error) for _, error in failures), default=OK)


def print_opened(port: OpenedPort, *, ipv6: bool) -> None:
    """An open port as JSON."""
    print_json(
        event="opened",
        protocol=port.request.protocol,
        internal_port=port.request.internal_port,
        **host_field(port.request.host),
        requested_port=None if port.request.follow else port.request.suggested_port,
        external_ip=port.address,
        external_port=port.external_port,
        lifetime=port.lifetime,
        ipv6=ipv6,
        reason=port.remark,
    )


def print_closed(entries: Sequence[JournalEntry], event: str, note: str = "", *, as_json: bool) -> None:
    """What is "closed", or "left" to another portmap. `note`: why it is closed, or to whom it is left."""
    if not as_json:
        what = note if event == "left" else f"closed: {note}" if note else "closed"
        for line in closed_lines(entries, what):
            print(line, flush=True)
        return
    for entry in entries:
        print_json(
            event=event,
            protocol=entry.protocol,
            internal_port=entry.internal_port,
            **host_field(entry.host),
            ipv6=entry.ipv6,
            reason=note,
        )


def host_field(host: str) -> dict[str, str]:
    """The field of another host in a JSON object; none for this host."""
    return {"host": host} if host else {}


def print_deleted(row: Listed, gateway: str, *, as_json: bool) -> None:
    """An entry that was deleted by force: where it led, and the description that its maker gave it."""
    if as_json:
        print_json(
            event="closed",
            protocol=row.protocol,
            internal_port=row.internal_port,
            external_port=row.external_port,
            client=row.client,
            description=row.description,
            gateway=gateway,
            ipv6=False,
            reason="deleted by force",
        )
        return
    maker = "made by portmap" if row.ours else f"made by another program ({printable(row.description) or 'no name'})"
    where = f"{row.external_port}/{row.protocol.lower()} → {printable(row.client)}:{row.internal_port}"
    print(f"deleted at {printable(gateway)}: {where}, {maker}", flush=True)
