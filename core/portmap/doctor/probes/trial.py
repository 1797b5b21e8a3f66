"""`--try`: maps the port for a short time, and removes it again.

Never tries what this host holds already: to the gateway a second request is the same mapping, and removing ours would
close the other one. A mapping that cannot be removed ends by itself, and is reported.
"""

from portmap.backends.nat import Nat
from portmap.doctor.findings import BackendAnswer, Findings, TrialResult
from portmap.doctor.probes.backends import BackendProbe
from portmap.errors import NATError, NotAuthorized, PluginError, Refused
from portmap.model import PortRequest

LEASE = 60  # seconds; long enough to be looked at, short enough to be left behind
TIMEOUT = 6.0  # seconds for one call
NAME = "doctor"


def try_mappings(findings: Findings, probe: BackendProbe) -> tuple[TrialResult, ...]:
    """One try for each request, at the gateway that answered first.

    Where no gateway stated its address, at those that refused to, until one maps: some state it only with a mapping.
    """
    tried: tuple[TrialResult, ...] = ()
    for answer in findings.good[:1] or _refusing(findings):
        nat = probe.backend(answer.name)
        tried = tuple(_attempt(nat, request, findings) for request in findings.requests) if nat else ()
        if not any(attempt.error for attempt in tried):
            break
    return tried


def _refusing(findings: Findings) -> list[BackendAnswer]:
    refused = [answer for answer in findings.chosen if isinstance(answer.error, Refused)]
    return [answer for answer in refused if not isinstance(answer.error, NotAuthorized)]


def _attempt(nat: Nat, request: PortRequest, findings: Findings) -> TrialResult:
    held = _held(nat, request, findings)
    if held:
        return TrialResult(str(nat), request, skipped=held)
    try:
        grant = nat.add_mapping(
            request.protocol, request.external_port, request.internal_port, NAME, LEASE, timeout=TIMEOUT
        )
    except (NATError, PluginError) as error:
        return TrialResult(str(nat), request, error=error)
    left = _remove(nat, request, grant.external_port, grant.token)
    return TrialResult(str(nat), request, grant.external_port, grant.lifetime, grant.external_ip, left=left)


def _held(nat: Nat, request: PortRequest, findings: Findings) -> str:
    """Why the request is not tried: this host holds it already; empty if it does not."""
    if holder := findings.holder(request):
        return f"{holder} holds it"
    if other := nat.other_holder(request.key):
        return f"{other} holds it"
    here = (row for answer in findings.good for row in answer.table or () if answer.leads_here(row))
    for row in here:
        if (row.protocol, row.internal_port) == (request.protocol, request.internal_port):
            return f"it is open already, at external port {row.external_port}"
    return ""


def _remove(nat: Nat, request: PortRequest, external_port: int, token: str) -> str:
    """Remove the mapping: empty, or why the gateway keeps it."""
    try:
        nat.delete_mapping(request.protocol, external_port, request.internal_port, timeout=TIMEOUT, token=token)
    except (NATError, PluginError) as error:
        return str(error)
    return ""
