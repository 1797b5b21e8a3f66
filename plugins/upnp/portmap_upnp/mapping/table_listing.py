"""The gateway's own table for `portmap ls`, row by row (GetGenericPortMappingEntry).

Reads only. A row that cannot be read never costs the others. Routers end the table in five ways (713, 714, 402, 501, a
bare status 500), two of which also mean that nothing works: where the very first row is answered so, the gateway must
show that it works at all before its table is called empty.
"""

import logging
from collections.abc import Iterator
from ipaddress import IPv4Address
from socket import gethostname

from portmap.errors import Refused
from portmap.model import MAX_PORT, Listed, Protocol
from portmap_upnp.control.soap import ErrorWithoutCode, Unreadable
from portmap_upnp.control.upnp_errors import ACTION_FAILED, INVALID_ARGS, INVALID_INDEX, NO_SUCH_ENTRY
from portmap_upnp.control.wan_connection import MAX_LEASE, TableRow, WanActions
from portmap_upnp.mapping.internal_client import is_name_of, parse_client
from portmap_upnp.mapping.ownership import PREFIX, host_id, made_by_host

TIMEOUT = 12.0  # seconds for the whole table; below the core's 15 for one call
MAX_ROWS = 1000  # a home router has room for some dozens
MAX_UNREADABLE = 32  # rows; a gateway that answers so for every row has no table for us
_END = {INVALID_INDEX, NO_SUCH_ENTRY, INVALID_ARGS, ACTION_FAILED}  # mappers.md §3.3: Open.NAT, miniupnpc's users
_log = logging.getLogger("portmap.upnp")


def read_table(wan: WanActions, us: IPv4Address) -> tuple[Listed, ...]:
    """Every row, ours marked. Raises Refused where the gateway does not let its table be read, and as `wan` does."""
    host = host_id()
    return tuple(listed for row in _rows(wan) if (listed := as_listed(row, us, host)))


def _rows(wan: WanActions) -> Iterator[TableRow]:
    """Rows until the end, a repeated one (some routers begin anew), or the limit."""
    seen: set[tuple[str, int, str]] = set()
    unreadable = 0
    for index in range(MAX_ROWS):
        try:
            row = _row(wan, index)
        except Unreadable as error:
            _log.debug("row %d of the gateway's table cannot be read: %s", index, error)
            unreadable += 1
            if unreadable > MAX_UNREADABLE:
                return
            continue
        if row is None or (row.protocol, row.external_port, row.remote_host) in seen:
            return
        seen.add((row.protocol, row.external_port, row.remote_host))
        yield row


def _row(wan: WanActions, index: int) -> TableRow | None:
    """One row; None at the end of the table."""
    try:
        return wan.table_row(index)
    except (Refused, ErrorWithoutCode) as error:
        if isinstance(error, Refused) and error.code not in _END:
            raise
        if index == 0 and (isinstance(error, ErrorWithoutCode) or error.code == ACTION_FAILED):
            wan.status()  # raises, if it is all of UPnP that fails
        return None


def as_listed(row: TableRow, us: IPv4Address, host: str) -> Listed | None:
    """The row in portmap's words, our own address as an address; None for one that cannot be.

    A lease beyond a week is none that a gateway counts.
    """
    protocol = row.protocol.upper()
    ports = (row.external_port, row.internal_port)
    if protocol not in set(Protocol) or not all(1 <= port <= MAX_PORT for port in ports):
        _log.debug("a row of the gateway's table makes no sense: %s", row)
        return None
    leads_here = parse_client(row.client) == us or is_name_of(row.client, gethostname())
    ours = made_by_host(row.description, host) or (leads_here and row.description.startswith(PREFIX))
    lease = row.lease if 0 <= row.lease <= MAX_LEASE else 0
    client = str(us) if leads_here else row.client
    return Listed(Protocol(protocol), row.external_port, client, row.internal_port, lease, row.description, ours)
