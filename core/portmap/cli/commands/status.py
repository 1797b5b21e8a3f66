"""`portmap status`: what the running instances on this host hold, read from the status files that they keep.

Reads a few small files; asks no gateway and no process.
"""

import json
import shutil
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from portmap.cli.exit_codes import print_error
from portmap.cli.output.json_and_tables import print_json, table_lines
from portmap.cli.output.style import Style
from portmap.cli.signals import StopSignals
from portmap.cli.state_folder import check_readable
from portmap.errors import SpecError
from portmap.model import at_host
from portmap.printable import printable
from portmap.storage.status import UP, PortStatus, SessionStatus
from portmap.storage.status_file import live_sessions
from portmap.syntax.durations import format_duration, format_lifetime
from portmap.syntax.plugin_specs import interface_in

HEALTHY, UNHEALTHY = 0, 1  # a container's health check knows no other codes
PERIOD = 1.0  # seconds between two looks of --watch
WIDTH = 80  # columns in a pipe, and on a terminal of unknown width
_HEADS = ("INSTANCE", "PORT", "STATE", "EXTERNAL", "LEASE", "SINCE")
_PORT, _EXTERNAL = _HEADS.index("PORT"), _HEADS.index("EXTERNAL")
_HOME = "\x1b[H\x1b[2J"


def run_status(folders: Sequence[Path], name: str | None, *, check: bool, watch: bool, as_json: bool) -> int:
    """The exit code: with `check` 0 or 1 only, else 0. Raises SpecError for an unknown name or an unreadable folder.

    `folders` are the state folders to read: the first one must be readable, others only may be.
    """
    check_readable(folders[0])
    if watch:
        _watch(folders, name, as_json=as_json)
        return HEALTHY
    sessions = _named(_live(folders), name)
    if not (check and not as_json):
        _print(sessions, as_json=as_json)
        _hint_at_unreadable(folders[1:])
    if not check:
        return HEALTHY
    return HEALTHY if sessions and all(session.healthy for session in sessions) else UNHEALTHY


def _live(folders: Sequence[Path]) -> list[SessionStatus]:
    return [session for folder in folders for session in live_sessions(folder)]


def _hint_at_unreadable(folders: Sequence[Path]) -> None:
    for folder in folders:
        try:
            check_readable(folder)
        except SpecError:
            print_error(f"the status of the system's service is in {folder}, which you may not read: try with sudo")


def _named(sessions: Sequence[SessionStatus], name: str | None) -> list[SessionStatus]:
    if name is None:
        return list(sessions)
    named = [session for session in sessions if name in (session.instance, str(session.pid))]
    if not named and sessions:
        known = ", ".join(printable(session.instance or str(session.pid)) for session in sessions)
        raise SpecError(f"no running instance is called {name!r}: there are {known}")
    return named


def _watch(folders: Sequence[Path], name: str | None, *, as_json: bool) -> None:
    """Again and again until Ctrl-C: a table in place on a terminal, else one after the other."""
    over = threading.Event()
    with StopSignals(over.set):
        while not over.is_set():
            if sys.stdout.isatty() and not as_json:
                print(_HOME, end="")
            _print(_named(_live(folders), name), as_json=as_json)
            sys.stdout.flush()
            over.wait(PERIOD)


def _print(sessions: Sequence[SessionStatus], *, as_json: bool) -> None:
    if as_json:
        shown = [json.loads(json.dumps(asdict(session))) | {"healthy": session.healthy} for session in sessions]
        print_json(instances=shown)
    elif sessions:
        width = shutil.get_terminal_size((WIDTH, 24)).columns if sys.stdout.isatty() else WIDTH
        print("\n".join(status_lines(sessions, time.time(), width)))
    else:
        print("no instance of portmap is running for this user (or all of them with --state none)")


def status_lines(sessions: Sequence[SessionStatus], now: float, width: int) -> list[str]:
    """A table, and remarks below it, of at most `width` columns. Pure."""
    rows = list(_rows(sessions, now))
    table = table_lines(_HEADS, rows, width)
    remarks = [*_cut(rows, table), *_remarks(sessions, now)]
    style = Style(width=width)
    wrapped = (style.wrap(remark, 4) for remark in remarks)
    return table + [line for first, *more in wrapped for line in (f"  {first}", *(f"    {rest}" for rest in more))]


def _cut(rows: Sequence[Sequence[str]], table: Sequence[str]) -> Iterator[str]:
    """The external addresses that have no room in the table."""
    for row, line in zip(rows, table[1:], strict=True):
        if row[_EXTERNAL] not in line:
            yield f"{row[_PORT]}: {row[_EXTERNAL]}"


def _name(session: SessionStatus) -> str:
    return printable(session.instance or str(session.pid))


def _rows(sessions: Sequence[SessionStatus], now: float) -> Iterator[tuple[str, ...]]:
    for session in sessions:
        for port in session.ports:
            yield (
                _name(session),
                _port(port),
                _state(port),
                _external(port),
                _lease(port, now),
                _ago(port.since, now) if port.since else "-",
            )


def _remarks(sessions: Sequence[SessionStatus], now: float) -> Iterator[str]:
    """What the table has no column for: the gateway, reasons, publishers."""
    for session in sessions:
        yield f"{_name(session)}: via {_gateway(session)}"
        for port in session.ports:
            if port.reason:
                yield f"{_port(port)}: {printable(port.reason)}"
        for publisher in session.publishers:
            since = _ago(publisher.since, now)
            trouble = f"failing for {since}: {printable(publisher.reason)}"
            yield f"{printable(publisher.name)}: {f'ok for {since}' if publisher.ok else trouble}"


def _gateway(session: SessionStatus) -> str:
    """The gateway as its backend names it, and the interface that was chosen."""
    interface = interface_in(session.nat)
    if not session.gateway or interface is None:
        return printable(session.gateway or session.nat)
    return printable(f"{session.gateway} on {interface}")


def _port(port: PortStatus) -> str:
    name = f"{printable(port.name)} " if port.name else ""
    inside = f"{port.internal_port}{printable(at_host(port.host))}"
    return f"{name}{inside}/{port.protocol.lower()}{' IPv6' if port.ipv6 else ''}"


def _state(port: PortStatus) -> str:
    """The state; of an open port that was proved from outside, what that showed."""
    if port.state != UP or port.reachable is None:
        return port.state
    return "reachable" if port.reachable else "unreachable"


def _external(port: PortStatus) -> str:
    if port.external_port is None:
        return "-"
    address = printable(port.external_ip or "?")
    return f"[{address}]:{port.external_port}" if ":" in address else f"{address}:{port.external_port}"


def _lease(port: PortStatus, now: float) -> str:
    if port.state != UP:
        return "-"
    if port.expires is not None and port.expires <= now:
        return "over"  # its process is stopped, or the clock was set: the gateway may have closed it
    return format_lifetime(None if port.expires is None else max(1, round(port.expires - now)))


def _ago(since: float, now: float) -> str:
    return format_duration(max(0, round(now - since)))
