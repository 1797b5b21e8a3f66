"""The commands that ask once and print: `ip` and `backends`."""

import portmap
from portmap.cli import logs
from portmap.cli.plugins import Row, print_json, print_table, rows_of
from portmap.hookspecs import BACKENDS
from portmap.model import scope_of


def print_external_ip(nat: str, *, as_json: bool, verbosity: int) -> None:
    """Print the external address. Raises PortmapError."""
    logs.set_up(verbosity)
    door = portmap.load(nat)
    address = door.external_ip()
    if as_json:
        print_json(external_ip=str(address), scope=scope_of(address), gateway=str(door))
    else:
        print(address)


def print_backends(*, as_json: bool) -> None:
    """Print every installed backend, one a row; a broken one with the reason."""
    rows = rows_of(BACKENDS)
    if as_json:
        print_json(backends=[_as_backend(row) for row in rows])
        return
    print_table(
        ("NAMES", "KIND", "FROM", "STATUS"),
        ((", ".join(row.names), row.kind or row.status, row.origin, row.reason or row.status) for row in rows),
    )


def _as_backend(row: Row) -> dict[str, object]:
    return {
        "names": row.names,
        "kind": row.kind or row.status,
        "distribution": row.origin,
        "reason": row.reason,
    }
