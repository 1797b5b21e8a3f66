"""`portmap doctor`: one verdict, what it stands on, and what to do next."""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import portmap
from portmap.cli import logs
from portmap.cli.output.diagnosis import as_json, lines_of, report_of
from portmap.cli.output.json_and_tables import print_json
from portmap.cli.output.style import Style, style_of
from portmap.cli.signals import StopSignals
from portmap.cli.state_folder import SERVICE_FOLDER, default_state_folder, path_of
from portmap.doctor.capture import Capture
from portmap.doctor.diagnose import diagnose
from portmap.doctor.diagnosis import Outcome
from portmap.doctor.examine import HostProbes, examine
from portmap.doctor.findings import Findings
from portmap.doctor.probes.backends import ProbeTarget, probe_targets
from portmap.doctor.redact import redacted_findings
from portmap.doctor.report import report_lines
from portmap.errors import SpecError
from portmap.hookspecs import BACKENDS, PUBLISHERS
from portmap.loading.catalog import Catalogue
from portmap.loading.own_entries import DISTRIBUTION
from portmap.model import PortRequest
from portmap.reachability.echo import EchoClient
from portmap.storage.journal_reader import SessionJournal, read_journals
from portmap.storage.open_ports import FOLDER
from portmap.syntax.mappings import parse_mapping
from portmap.syntax.plugin_specs import on_interface, parse_backend_spec
from portmap.wire.stun.servers import Server, parse_servers

_OUTSIDE_BACKEND = "stun"  # the backend that --stun HOST:PORT stands for


@dataclass(frozen=True, slots=True)
class DoctorArguments:
    """What the user asked for, checked."""

    targets: tuple[ProbeTarget, ...]
    requests: tuple[PortRequest, ...]
    outside: ProbeTarget | None
    nat_servers: tuple[Server, ...]
    responder: EchoClient | None
    try_it: bool
    capture: Path | None
    interface: str | None = None

    @classmethod
    def read(
        cls,
        mapping: str | None,
        nat: str,
        stun: str | None,
        capture: str | None,
        *,
        try_it: bool,
        via: str | None = None,
    ) -> Self:
        """Check the command line's words. Raises SpecError, or PluginError for a backend that is broken."""
        interface = parse_backend_spec(nat).interface
        requests = parse_mapping(mapping) if mapping is not None else ()
        if any(request.host for request in requests):
            raise SpecError(
                "doctor looks at this computer only: leave @HOST out, or run it on the other host; of a port there "
                "'portmap check' says whether it can be reached"
            )
        if try_it and not requests:
            raise SpecError("--try needs a MAPPING to try, as in: portmap doctor 25565 --try")
        outside = _outside(stun, interface) if stun is not None else None
        servers = parse_servers(stun) if stun is not None else ()
        responder = EchoClient.parse(via, interface) if via is not None else None
        if responder is not None and not requests:
            raise SpecError("--via needs a MAPPING to try, as in: portmap doctor 25565 --via URL")
        path = path_of(capture, "--capture") if capture is not None else None
        return cls(probe_targets(nat), requests, outside, servers, responder, try_it, path, interface)


def run_doctor(arguments: DoctorArguments, *, as_one_object: bool, report: bool) -> Outcome:
    """Examine and print; the outcome is the exit code. Raises PortmapError."""
    if as_one_object and report:
        raise SpecError("--json and --report exclude each other: choose one")
    logs.set_up(0)
    with _capturing(arguments.capture), _progress(shown=not as_one_object), _closing_again(arguments):
        findings = examine(
            arguments.targets,
            arguments.requests,
            outside=arguments.outside,
            holdings=_holdings(),
            left_open=_left_open(),
            try_it=arguments.try_it,
            probes=HostProbes.on(arguments.interface),
            nat_servers=arguments.nat_servers,
            responder=arguments.responder,
        )
    verdict = diagnose(findings)
    if as_one_object:
        print_json(**as_json(findings, verdict, report_lines(findings)))
    elif report:
        print(_report(findings))
    else:
        print("\n".join(lines_of(report_lines(findings), verdict, style_of(sys.stdout))))
    return verdict.outcome


def _report(findings: Findings) -> str:
    plugins = [plugin for group in (BACKENDS, PUBLISHERS) for plugin in Catalogue(group).plugins]
    ours = [plugin for plugin in plugins if plugin.distribution == DISTRIBUTION]
    shown = redacted_findings(findings, {name for plugin in ours for name in plugin.names})
    lines = lines_of(report_lines(shown), diagnose(shown), Style(ascii=style_of(sys.stdout).ascii))
    return report_of(lines, portmap.__version__, [plugin.names[0] for plugin in ours], len(plugins) - len(ours))


def _outside(server: str, interface: str | None) -> ProbeTarget:
    if not server.rpartition(":")[0]:
        raise SpecError("--stun names no server: write one and its port, as in stun.example.org:3478")
    nat = portmap.load(on_interface(f"{_OUTSIDE_BACKEND}:{server}", interface))
    return ProbeTarget(_OUTSIDE_BACKEND, lambda: nat)


def _holdings() -> Iterator[SessionJournal]:
    """The journals of this user and of the system's service."""
    with suppress(SpecError):  # no home, or another user's folder: what is held there is not known
        yield from read_journals(default_state_folder())
    with suppress(SpecError):
        yield from read_journals(SERVICE_FOLDER)


def _left_open() -> Iterator[SessionJournal]:
    """The journals of `portmap open`."""
    with suppress(SpecError):
        yield from read_journals(default_state_folder() / FOLDER)


def _capturing(path: Path | None) -> AbstractContextManager[object]:
    if path is None:
        return nullcontext()
    capture = Capture(path, portmap.__version__)
    print(f"portmap: {path} will hold your addresses and PCP nonces: read it before you share it", file=sys.stderr)
    return capture


@contextmanager
def _closing_again(arguments: DoctorArguments) -> Iterator[None]:
    """A signal during a try ends the command once the port is closed again."""
    if not arguments.try_it:
        yield
        return
    with StopSignals() as ending:
        yield
    if ending.stop_requested:
        raise KeyboardInterrupt


@contextmanager
def _progress(*, shown: bool) -> Iterator[None]:
    """A line while people wait, on a terminal only."""
    shown = shown and sys.stderr.isatty() and sys.stdout.isatty()
    if shown:
        print("examining the network, a few seconds ...", end="", file=sys.stderr, flush=True)
    try:
        yield
    finally:
        if shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
