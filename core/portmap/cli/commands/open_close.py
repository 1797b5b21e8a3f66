"""`portmap open` and `portmap close`: one shot. A lease is left at the gateway, or taken back.

Rules:
What is left open is noted with the backend and gateway that opened it; only that is closed, and there.
Ctrl-C before all is open takes back what was opened so far.
A port that fails stops no other one; a gateway that does not answer stops all of its ports.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from portmap.backends.any.backend import AnyBackend
from portmap.backends.load import load, load_ipv6
from portmap.backends.nat import Nat
from portmap.cli import logs
from portmap.cli.exit_codes import OK, exit_code_of, print_error
from portmap.cli.output.formats import print_json
from portmap.cli.output.open_ports import OpenedPort, closed_lines, opened_lines
from portmap.cli.signals import StopSignals
from portmap.errors import SILENCE, NATError, NoGateway, PluginError, PortmapError, Refused, SpecError
from portmap.hookspecs import BACKENDS
from portmap.host.claims import gateway_address
from portmap.loading.catalog import Catalogue
from portmap.model import Grant, Kind, PortRequest
from portmap.session.open import load_backends
from portmap.storage.journal import JournalEntry
from portmap.storage.open_ports import OpenPorts
from portmap.syntax.mappings import parse_mappings
from portmap.syntax.specs import parse_backend_spec

SHOWN = 8  # ports that are told one by one in an error


def open_ports(
    nat: str,
    mappings: Sequence[str],
    lease: int | None,
    folder: Path | None,
    *,
    ipv4: bool = True,
    ipv6: bool = True,
    as_json: bool = False,
) -> int:
    """Map each port and leave it so until its lease ends. The exit code: of what went worst.

    Raises SpecError and PluginError, and KeyboardInterrupt where it was interrupted: then nothing is left open.
    """
    logs.set_up(0)
    backends = load_backends(nat, ipv4=ipv4, ipv6=ipv6)
    if backends[0].kind is not Kind.LOOP or not backends[0].opens_ports:
        raise SpecError(f"{nat!r} opens no ports: choose a gateway, as in --nat any")
    requests = parse_mappings(mappings, lease or backends[0].default_lifetime)
    names_backend = Catalogue(BACKENDS).find(parse_backend_spec(nat)).load() is AnyBackend
    open_before = OpenPorts(folder)
    try:
        with StopSignals() as stopping:
            worst = OK
            for backend in backends:
                opener = _Opener(nat, backend, open_before, stopping, in_token=names_backend)
                optional = backend is not backends[0]
                worst = max(worst, opener.open(requests, optional=optional, as_json=as_json))
        return worst
    finally:
        for backend in backends:
            backend.close()  # what is left open is nobody's from now on
        open_before.close()


class _Opener:
    """Opens ports through one backend. `in_token`: a grant's token begins with the name of the backend that made it."""

    def __init__(self, spec: str, nat: Nat, open_ports: OpenPorts, stopping: StopSignals, *, in_token: bool) -> None:
        self._spec = spec
        self._nat = nat
        self._open_ports = open_ports
        self._stopping = stopping
        self._in_token = in_token
        self._made: list[JournalEntry] = []
        self._failures: list[tuple[PortRequest, PortmapError]] = []
        self._address = "?"

    def open(self, requests: Sequence[PortRequest], *, optional: bool, as_json: bool) -> int:
        """Open them all and tell; the exit code. `optional`: only what could be opened is worth a word."""
        try:
            self._address = str(self._nat.external_ip())
        except Refused:
            pass  # some gateways state it only with a mapping
        except (NATError, PluginError):
            if optional:
                return OK
            raise
        opened = self._open_all(requests)
        for port in opened:
            if as_json:
                _print_opened(port, ipv6=self._nat.ipv6)
        for line in () if as_json else opened_lines(opened):
            print(line, flush=True)
        return OK if optional else _report(self._failures, as_json=as_json)

    def _open_all(self, requests: Sequence[PortRequest]) -> list[OpenedPort]:
        """First each port as it was asked for; then those that were taken, at another one.

        So one taken port does not push every other port of a range to the next one.
        """
        wanted = {(request.protocol, request.wish) for request in requests}
        opened: dict[PortRequest, OpenedPort] = {}
        later: list[PortRequest] = []
        for request in self._until_silent(requests):
            port = self._open_one(request, exact=len(requests) > 1)
            if port is None:
                later.append(request)
            elif not port.as_asked and (request.protocol, port.external_port) in wanted:
                self._take_back(self._made[-1:])
                later.append(request)
            else:
                opened[request] = port
        for request in self._until_silent(later):
            port = self._open_one(request, exact=False)
            if port is not None:
                opened[request] = port
        return [opened[request] for request in requests if request in opened]

    def _until_silent(self, requests: Sequence[PortRequest]) -> Iterator[PortRequest]:
        """Each request, until the gateway is silent or the user stops us. Raises KeyboardInterrupt."""
        for request in requests:
            if self._failures and isinstance(self._failures[-1][1], SILENCE):
                return
            yield request
            if self._stopping.stop_requested:
                self._take_back(self._made)
                raise KeyboardInterrupt

    def _open_one(self, request: PortRequest, *, exact: bool) -> OpenedPort | None:
        """The open port; None where it failed. With `exact` a refusal is no failure yet."""
        if held := self._held(request):
            return held
        wish = 0 if request.follow else request.wish
        try:
            grant = self._nat.add_mapping(
                request.protocol,
                wish,
                request.internal_port,
                request.name,
                request.lifetime,
                token=self._token_for(request, wish),
                exact=exact,
            )
        except (NATError, PluginError) as error:
            if not (exact and isinstance(error, Refused)):
                self._failures.append((request, error))
            return None
        self._note(request, grant)
        address = str(grant.external_ip) if grant.external_ip else self._address
        return OpenedPort(request, grant.external_port, grant.lifetime, address)

    def _held(self, request: PortRequest) -> OpenedPort | None:
        """The port, where a running portmap holds it as asked: another lease could only shorten that one's."""
        other = self._nat.other_holder(request.protocol, request.internal_port)
        if other is None or not other.sender.is_trusted or not other.external_port:
            return None
        port = OpenedPort(request, other.external_port, 0, self._address, f"as long as {other} holds it")
        return port if port.as_asked else None

    def _token_for(self, request: PortRequest, wish: int) -> str:
        """What the gateway wants back with this mapping. One at another port than the wanted one is deleted first."""
        entry = self._open_ports.entry_at(str(self._nat), request.key, ipv6=self._nat.ipv6)
        if entry is None:
            return ""
        token = f"{entry.spec} {entry.token}".rstrip() if self._in_token else entry.token
        if wish and entry.external_port != wish:
            self._nat.delete_mapping(entry.protocol, entry.external_port, entry.internal_port, token=token)
            self._open_ports.remove([entry])
            return ""
        return token

    def _note(self, request: PortRequest, grant: Grant) -> None:
        """Write a mapping down before anything else can go wrong."""
        spec, token, hint = self._spec, grant.token, self._nat.hint()
        if self._in_token:
            spec, _, token = grant.token.partition(" ")
            name, _, hint = hint.partition(" ")
            hint = hint if name == spec else ""
        expires = time.time() + grant.lifetime if grant.lifetime else None
        entry = JournalEntry(
            str(self._nat),
            request.protocol,
            request.internal_port,
            grant.external_port,
            expires,
            token=token,
            spec=spec,
            ipv6=self._nat.ipv6,
        )
        self._made.append(entry)
        self._open_ports.add(entry, hint)

    def _take_back(self, entries: Sequence[JournalEntry]) -> None:
        for entry in tuple(entries):
            token = f"{entry.spec} {entry.token}".rstrip() if self._in_token else entry.token
            try:
                self._nat.delete_mapping(entry.protocol, entry.external_port, entry.internal_port, token=token)
            except (NATError, PluginError) as error:
                print_error(f"{entry.internal_port}/{entry.protocol.lower()} stays open until its lease ends: {error}")
                continue
            self._open_ports.remove([entry])
            self._made.remove(entry)


def close_ports(
    nat: str | None, mappings: Sequence[str], folder: Path | None, *, mine: bool, as_json: bool = False
) -> int:
    """Take back what `open` left; with `mine` all of it. The exit code: of what went worst.

    `nat` is for a mapping of which it is not known which backend opened it. Raises SpecError.
    """
    if mine == bool(mappings):
        raise SpecError("name the mappings to close, or say --mine for all that 'portmap open' left")
    logs.set_up(0)
    if nat is not None:
        load(nat)
    wanted = {request.key for request in parse_mappings(mappings)}
    open_ports = OpenPorts(folder)
    try:
        entries = [entry for entry in open_ports.entries if mine or entry.key in wanted]
        if missing := wanted - {entry.key for entry in entries}:
            protocol, port = min(missing)
            raise SpecError(f"{port}/{protocol.lower()} was not opened by 'portmap open': see 'portmap ls'")
        failures: list[tuple[JournalEntry, PortmapError]] = []
        groups = dict.fromkeys((entry.spec or nat or "any", entry.ipv6, entry.gateway) for entry in entries)
        for spec, ipv6, gateway in groups:
            group = [it for it in entries if (it.spec or nat or "any", it.ipv6, it.gateway) == (spec, ipv6, gateway)]
            failures += _close_group(spec, gateway, group, open_ports, as_json=as_json)
        return _report(failures, as_json=as_json)
    finally:
        open_ports.close()


def _close_group(
    spec: str, gateway: str, entries: Sequence[JournalEntry], open_ports: OpenPorts, *, as_json: bool
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
            nat.delete_mapping(entry.protocol, entry.external_port, entry.internal_port, token=entry.token)
        except (NATError, PluginError) as error:
            failures.append((entry, error))
            continue
        note = nat.sharing_note(entry.key)
        left.setdefault(note, []).append(entry) if note else closed.append(entry)
        open_ports.remove([entry])
    for note, group in (("closed", closed), *left.items()):
        _print_closed(group, note, as_json=as_json)
    return failures


def _backend_at(spec: str, gateway: str, hint: str, *, ipv6: bool) -> Nat:
    """The backend, once it has found that gateway. Raises PortmapError."""
    nat = load_ipv6(spec) if ipv6 else load(spec)
    if nat is None:
        raise SpecError(f"{spec!r} knows no IPv6")
    if hint:
        nat.take_hint(hint)
    with suppress(Refused):  # then it is there
        nat.external_ip()
    here = str(nat)
    if (gateway_address(here) or here) != (gateway_address(gateway) or gateway):
        raise NoGateway(f"it was opened at {gateway}, and the gateway here is {here}: close it in that network")
    return nat


def _report(failures: Sequence[tuple[PortRequest | JournalEntry, PortmapError]], *, as_json: bool) -> int:
    """Tell each failure; the highest exit code. Ports that failed for the same reason share a line."""
    ports: dict[str, list[str]] = {}
    for what, error in failures:
        ports.setdefault(str(error), []).append(f"{what.internal_port}/{what.protocol.lower()}")
        if as_json:
            print_json(
                event="error",
                error=type(error).__name__,
                reason=str(error),
                exit=exit_code_of(error),
                protocol=what.protocol,
                internal_port=what.internal_port,
            )
    for reason, names in ports.items():
        shown = (
            " ".join(names) if len(names) <= SHOWN else f"{names[0]} … {names[-1]} ({len(names)} ports)"
        )  # a line's worth
        print_error(f"{shown}: {reason}")
    return max((exit_code_of(error) for _, error in failures), default=OK)


def _print_opened(port: OpenedPort, *, ipv6: bool) -> None:
    print_json(
        event="opened",
        protocol=port.request.protocol,
        internal_port=port.request.internal_port,
        requested_port=None if port.request.follow else port.request.wish,
        external_ip=port.address,
        external_port=port.external_port,
        lifetime=port.lifetime,
        ipv6=ipv6,
        reason=port.remark,
    )


def _print_closed(entries: Sequence[JournalEntry], what: str, *, as_json: bool) -> None:
    if not as_json:
        for line in closed_lines(entries, what):
            print(line, flush=True)
        return
    for entry in entries:
        print_json(
            event="closed" if what == "closed" else "left",
            protocol=entry.protocol,
            internal_port=entry.internal_port,
            ipv6=entry.ipv6,
            reason="" if what == "closed" else what,
        )
