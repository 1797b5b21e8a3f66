"""`portmap open`: maps ports and leaves them so until their lease ends.

Rules:
What is left open is noted with the backend and gateway that opened it, for `portmap close`.
Ctrl-C before all is open takes back what was opened so far.
A port that fails stops no other one; a gateway that does not answer stops all of its ports.
"""

import time
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address
from pathlib import Path

from portmap.backends.any.backend import AnyBackend
from portmap.backends.nat import Nat
from portmap.cli import logs
from portmap.cli.commands.port_results import print_opened, report_failures
from portmap.cli.exit_codes import OK, print_error
from portmap.cli.output.open_ports import OpenedPort, opened_lines
from portmap.cli.output.ports import ports_text
from portmap.cli.signals import StopSignals
from portmap.errors import SILENCE, NATError, PluginError, PortmapError, Refused, SpecError
from portmap.hookspecs import BACKENDS
from portmap.loading.catalog import Catalogue
from portmap.model import Grant, Key, Kind, PortRequest
from portmap.network.lan_hosts import LanHosts
from portmap.session.open import load_backends
from portmap.storage.journal import JournalEntry
from portmap.storage.open_ports import OpenPorts
from portmap.syntax.mappings import check_openable, parse_mappings
from portmap.syntax.plugin_specs import hop_texts, on_interface, parse_backend_spec, shown_spec

NOT_NOTED = "the state folder cannot be written to, so 'portmap close' will not know this and the lease has to run out"


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
        raise SpecError(f"{shown_spec(nat)} opens no ports: choose a gateway, as in --nat any")
    if backends[0].listens_itself:
        raise SpecError(
            f"{shown_spec(nat)} keeps a port open only while portmap runs, so it cannot be left open: write it without "
            "open, as in portmap --nat … 25565"
        )
    requests = parse_mappings(mappings, lease or backends[0].default_lifetime)
    check_openable(requests, ipv6_only=all(backend.ipv6 for backend in backends))
    spec = parse_backend_spec(nat)
    names_backend = not spec.beyond and Catalogue(BACKENDS).find(spec).load() is AnyBackend
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
            backend.close()  # what is left open belongs to no running portmap
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
        self._not_noted: list[PortRequest] = []
        self._address = "?"
        self._lan_hosts = LanHosts(interface=nat.interface)

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
        opened = self._open_all([request for request in requests if request.leads_here or not self._nat.ipv6])
        for port in opened:
            if as_json:
                print_opened(port, ipv6=self._nat.ipv6)
        for line in () if as_json else opened_lines(opened):
            print(line, flush=True)
        if self._not_noted:
            print_error(f"{ports_text(self._not_noted)}: {NOT_NOTED}")
        return OK if optional else report_failures(self._failures, as_json=as_json)

    def _open_all(self, requests: Sequence[PortRequest]) -> list[OpenedPort]:
        """First each port as it was asked for; then those that were taken, at another one.

        So one taken port does not push every other port of a range to the next one.
        """
        wanted = {(request.protocol, request.suggested_port) for request in requests}
        opened: dict[PortRequest, OpenedPort] = {}
        later: list[PortRequest] = []
        for request in self._until_silent(requests):
            failed_before = len(self._failures)
            port = self._open_one(request, exact=len(requests) > 1)
            if port is None:
                if len(self._failures) == failed_before:  # this port was refused; another one may do
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
        if not request.host and (held := self._held(request)):
            return held
        wanted_port = 0 if request.follow else request.suggested_port
        try:
            client = self._lan_hosts.address_of(request.host, str(self._nat)) if request.host else None
            grant = self._nat.add_mapping(
                request.protocol,
                wanted_port,
                request.internal_port,
                request.name,
                request.lifetime,
                token=self._token_for(request, wanted_port, client),
                exact=exact,
                client=client,
            )
        except (NATError, PluginError) as error:
            if not (exact and isinstance(error, Refused)):
                self._failures.append((request, error))
            return None
        self._note(request, grant, client)
        address = str(grant.external_ip) if grant.external_ip else self._address
        note = self._nat.grant_note(Key.to_client(request.protocol, request.internal_port, client))
        return OpenedPort(request, grant.external_port, grant.lifetime, address, note=note)

    def _held(self, request: PortRequest) -> OpenedPort | None:
        """The port, where a running portmap holds it as asked: another lease could only shorten that one's."""
        other = self._nat.other_holder(request.key)
        if other is None or not other.sender.is_trusted or not other.external_port:
            return None
        port = OpenedPort(request, other.external_port, 0, self._address, f"as long as {other} holds it")
        return port if port.as_asked else None

    def _token_for(self, request: PortRequest, wanted_port: int, client: IPv4Address | None) -> str:
        """What the gateway wants back with this mapping.

        One at another port than the wanted one, or to another address of the host, is deleted first.
        """
        entry = self._open_ports.entry_at(str(self._nat), request.key, ipv6=self._nat.ipv6)
        if entry is None:
            return ""
        token = self._token_of(entry)
        if (wanted_port and entry.external_port != wanted_port) or entry.client != client:
            self._delete(entry, token)
            self._open_ports.remove([entry])
            return ""
        return token

    def _delete(self, entry: JournalEntry, token: str) -> None:
        self._nat.delete_mapping(
            entry.protocol, entry.external_port, entry.internal_port, token=token, client=entry.client
        )

    def _token_of(self, entry: JournalEntry) -> str:
        return f"{hop_texts(entry.spec)[0]} {entry.token}".rstrip() if self._in_token else entry.token

    def _note(self, request: PortRequest, grant: Grant, client: IPv4Address | None) -> None:
        """Write a mapping down before anything else can go wrong."""
        spec, token, hint = self._spec, grant.token, self._nat.hint()
        if self._in_token:
            spec, _, token = grant.token.partition(" ")
            name, _, hint = hint.partition(" ")
            hint = hint if name == spec else ""
            spec = on_interface(spec, self._nat.interface)
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
            host=request.host,
            client=client,
        )
        self._made.append(entry)
        if not self._open_ports.add(entry, hint):
            self._not_noted.append(request)

    def _take_back(self, entries: Sequence[JournalEntry]) -> None:
        for entry in tuple(entries):
            token = self._token_of(entry)
            try:
                self._delete(entry, token)
            except (NATError, PluginError) as error:
                print_error(f"{entry.key.typed} stays open until its lease ends: {error}")
                continue
            self._open_ports.remove([entry])
            self._made.remove(entry)
