"""`portmap open` and `portmap close`: one shot. A lease is left to run, or taken back.

Law: what is left open is written down beside the sessions' journals, with what the gateway wants back with it, and not
where a session would take it for a leftover of its own. Only what is written there is closed. Ctrl-C before all is
open takes back what was asked for: either all of it is left open, or nothing.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import portmap
from portmap.backends.nat import Nat
from portmap.cli import logs
from portmap.cli.output.formats import print_json
from portmap.cli.signals import StopSignals
from portmap.errors import Refused, SpecError
from portmap.model import Address, Grant, Kind, PortRequest
from portmap.storage.journal import Journal, JournalEntry, merged
from portmap.storage.journal_store import JournalStore
from portmap.syntax.durations import format_duration
from portmap.syntax.mappings import parse_mappings

FOLDER = "open"  # in the state folder


def open_ports(nat: str, mappings: Sequence[str], lease: int | None, folder: Path | None, *, as_json: bool) -> None:
    """Map each port and leave it so until its lease ends. Raises PortmapError for the first that cannot be had.

    KeyboardInterrupt where it was interrupted before all of them were open; then none of them is.
    """
    door = _door(nat)
    requests = parse_mappings(mappings, lease or door.default_lifetime)
    book = _OpenPorts(folder, door)
    try:
        address = _address(door)
        with StopSignals() as ending:
            for request in requests:
                grant = _ask(door, request, book)
                book.opened(request, grant)
                if ending.stop_requested:
                    _take_back(door, book, requests)
                    raise KeyboardInterrupt
                _say(request, grant, str(grant.external_ip or address or "?"), as_json=as_json)
    finally:
        book.close()


def close_ports(nat: str, mappings: Sequence[str], folder: Path | None, *, mine: bool, as_json: bool) -> None:
    """Take back what `open` left; with `mine` all of it. Raises PortmapError for the first that cannot be closed."""
    if mine == bool(mappings):
        raise SpecError("name the mappings to close, or say --mine for all that 'portmap open' left")
    door = _door(nat)
    wanted = {request.key for request in parse_mappings(mappings)}
    book = _OpenPorts(folder, door)
    try:
        left = [entry for entry in book.entries if mine or entry.key in wanted]
        if missing := wanted - {entry.key for entry in left}:
            protocol, port = min(missing)
            raise SpecError(f"{port}/{protocol.lower()} was not opened by 'portmap open': see 'portmap ls'")
        _address(door)
        for entry in left:
            if entry.gateway != str(door):
                raise SpecError(f"{entry.external_port} was opened at {entry.gateway}, and this is {door}")
            _close(door, entry, book)
            _say_closed(entry, as_json=as_json)
    finally:
        book.close()


def _take_back(door: Nat, book: "_OpenPorts", requests: Sequence[PortRequest]) -> None:
    keys = {request.key for request in requests}
    for entry in book.entries:
        if entry.key in keys:
            _close(door, entry, book)


def _close(door: Nat, entry: JournalEntry, book: "_OpenPorts") -> None:
    door.delete_mapping(entry.protocol, entry.external_port, entry.internal_port, token=entry.token)
    book.closed(entry)


class _OpenPorts:
    """What `open` has left at gateways, in a folder of its own; without a folder, nothing is remembered."""

    def __init__(self, folder: Path | None, door: Nat) -> None:
        self._state = None if folder is None else JournalStore(folder / FOLDER)
        self._door = door
        journal = merged(self._state.take_over()) if self._state is not None else Journal()
        self._entries = {entry.key: entry for entry in journal.entries if entry.may_be_held(time.time())}

    @property
    def entries(self) -> tuple[JournalEntry, ...]:
        """What is still open, as far as we know."""
        return tuple(self._entries.values())

    def token_of(self, request: PortRequest) -> str:
        """What the gateway wants back with this mapping."""
        entry = self._entries.get(request.key)
        return "" if entry is None else entry.token

    def opened(self, request: PortRequest, grant: Grant) -> None:
        """Write down a mapping before anything else can go wrong."""
        expires = time.time() + grant.lifetime if grant.lifetime else None
        ports = request.protocol, request.internal_port, grant.external_port
        self._entries[request.key] = JournalEntry(str(self._door), *ports, expires, token=grant.token)
        self._save()

    def closed(self, entry: JournalEntry) -> None:
        """Strike a mapping out."""
        del self._entries[entry.key]
        self._save()

    def close(self) -> None:
        """The book is the next one's."""
        if self._state is not None:
            self._state.close()

    def _save(self) -> None:
        if self._state is not None:
            self._state.save(Journal(self.entries))


def _door(nat: str) -> Nat:
    logs.set_up(0)
    door = portmap.load(nat)
    if door.kind is not Kind.LOOP or not door.opens_ports:
        raise SpecError(f"{nat!r} opens no ports: choose a gateway, as in --nat any")
    return door


def _address(door: Nat) -> Address | None:
    """The external address, which some gateways state only with a mapping; it is found meanwhile, where it must be."""
    try:
        return door.external_ip()
    except Refused:
        return None


def _ask(door: Nat, request: PortRequest, book: _OpenPorts) -> Grant:
    ports = request.protocol, request.external_port, request.internal_port
    return door.add_mapping(*ports, request.name, request.lifetime, token=book.token_of(request))


def _say(request: PortRequest, grant: Grant, address: str, *, as_json: bool) -> None:
    protocol = request.protocol.lower()
    if as_json:
        print_json(
            event="opened",
            protocol=request.protocol,
            internal_port=request.internal_port,
            external_ip=address,
            external_port=grant.external_port,
            lifetime=grant.lifetime,
        )
        return
    lease = (
        f"for {format_duration(grant.lifetime)}" if grant.lifetime else "until it is closed: leases are not known there"
    )
    print(f"{request.internal_port}/{protocol} is open at {address}:{grant.external_port} {lease}", flush=True)


def _say_closed(entry: JournalEntry, *, as_json: bool) -> None:
    if as_json:
        print_json(event="closed", protocol=entry.protocol, internal_port=entry.internal_port)
    else:
        print(f"{entry.internal_port}/{entry.protocol.lower()} is closed", flush=True)
