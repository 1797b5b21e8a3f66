"""`portmap status`: what the running instances on this host hold, from the notices that they keep.

Law: reading only; nobody is asked anything, so it costs no more than a few small files.
"""

import json
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from portmap.cli.output.formats import print_json, print_table
from portmap.cli.signals import StopSignals
from portmap.cli.state_folder import check_readable
from portmap.errors import SpecError
from portmap.printable import printable
from portmap.storage.status import UP, PortStatus, SessionStatus
from portmap.storage.status_file import live_sessions
from portmap.syntax.durations import format_duration

HEALTHY, UNHEALTHY = 0, 1  # a container's health check knows no other codes
PERIOD = 1.0  # seconds between two looks of --watch
_HEADS = ("INSTANCE", "PORT", "STATE", "EXTERNAL", "VIA", "LEASE", "SINCE")
_HOME = "\x1b[H\x1b[2J"


def run_status(folder: Path, name: str | None, *, check: bool, watch: bool, as_json: bool) -> int:
    """The exit code: with `check` 0 or 1 only, else 0. Raises SpecError for a name that nobody has, or no folder."""
    check_readable(folder)
    if watch:
        _watch(folder, name, as_json=as_json)
        return HEALTHY
    notices = _named(live_sessions(folder), name)
    if not (check and not as_json):
        _print(notices, as_json=as_json)
    if not check:
        return HEALTHY
    return HEALTHY if notices and all(notice.healthy for notice in notices) else UNHEALTHY


def _named(notices: Sequence[SessionStatus], name: str | None) -> list[SessionStatus]:
    if name is None:
        return list(notices)
    named = [notice for notice in notices if name in (notice.instance, str(notice.pid))]
    if not named and notices:
        known = ", ".join(printable(notice.instance or str(notice.pid)) for notice in notices)
        raise SpecError(f"no running instance is called {name!r}: there are {known}")
    return named


def _watch(folder: Path, name: str | None, *, as_json: bool) -> None:
    """Again and again until Ctrl-C: a table in place on a terminal, else one after the other."""
    over = threading.Event()
    with StopSignals(over.set):
        while not over.is_set():
            if sys.stdout.isatty() and not as_json:
                print(_HOME, end="")
            _print(_named(live_sessions(folder), name), as_json=as_json)
            sys.stdout.flush()
            over.wait(PERIOD)


def _print(notices: Sequence[SessionStatus], *, as_json: bool) -> None:
    if as_json:
        print_json(
            instances=[json.loads(json.dumps(asdict(notice))) | {"healthy": notice.healthy} for notice in notices]
        )
    elif notices:
        print_table(_HEADS, _rows(notices, time.time()))
        for text in _remarks(notices, time.time()):
            print(text)
    else:
        print("no instance of portmap is running for this user (or all of them with --state none)")


def _rows(notices: Sequence[SessionStatus], now: float) -> Iterator[tuple[str, ...]]:
    for notice in notices:
        for port in notice.ports:
            yield (
                printable(notice.instance or str(notice.pid)),
                _port(port),
                port.state,
                _external(port),
                printable(notice.gateway or notice.nat),
                _lease(port, now),
                _ago(port.since, now) if port.since else "-",
            )


def _remarks(notices: Sequence[SessionStatus], now: float) -> Iterator[str]:
    """What a table has no room for: reasons, and publishers."""
    for notice in notices:
        for port in notice.ports:
            if port.reason:
                yield f"  {_port(port)}: {printable(port.reason)}"
        for publisher in notice.publishers:
            since = _ago(publisher.since, now)
            trouble = f"failing for {since}: {printable(publisher.reason)}"
            yield f"  {printable(publisher.name)}: {f'ok for {since}' if publisher.ok else trouble}"


def _port(port: PortStatus) -> str:
    name = f"{printable(port.name)} " if port.name else ""
    return f"{name}{port.internal_port}/{port.protocol.lower()}{' IPv6' if port.ipv6 else ''}"


def _external(port: PortStatus) -> str:
    if port.external_port is None:
        return "-"
    address = printable(port.external_ip or "?")
    return f"[{address}]:{port.external_port}" if ":" in address else f"{address}:{port.external_port}"


def _lease(port: PortStatus, now: float) -> str:
    if port.state != UP:
        return "-"
    return "permanent" if port.expires is None else format_duration(max(0, round(port.expires - now)))


def _ago(since: float, now: float) -> str:
    return format_duration(max(0, round(now - since)))
