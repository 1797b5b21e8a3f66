"""The commands that ask once and print: `ip` and `backends`."""

import portmap
from portmap.cli import exits, logs
from portmap.cli.output import print_json, print_table
from portmap.cli.plugins import Row, rows_of
from portmap.errors import SpecError
from portmap.hookspecs import BACKENDS
from portmap.model import Scope, meaning_of, scope_of
from portmap.nat import Nat, load_ipv6


def print_external_ip(nat: str, *, ipv6: bool, allow_private: bool, as_json: bool, verbosity: int) -> int:
    """Print the external address; the exit code, which is not 0 for one that is not public. Raises PortmapError."""
    logs.set_up(verbosity)
    door = _door(nat, ipv6=ipv6)
    address = door.external_ip()
    scope = scope_of(address)
    if as_json:
        print_json(external_ip=str(address), scope=scope, gateway=str(door), meaning=meaning_of(scope))
    else:
        print(address)
    if scope is Scope.PUBLIC or allow_private:
        return exits.OK
    exits.complain(f"{address} is not public: {meaning_of(scope)}; --allow-private takes it all the same")
    return exits.UNREACHABLE


def _door(nat: str, *, ipv6: bool) -> Nat:
    if not ipv6:
        return portmap.load(nat)
    door = load_ipv6(nat)
    if door is None:
        raise SpecError(f"{nat!r} knows no IPv6: try pcp or upnp")
    return door


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
