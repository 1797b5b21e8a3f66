"""The try: the port is really mapped, for a short time, and given back.

Law: never what somebody here already holds - a second request for it would be the same mapping to the gateway, and
giving ours back would shut theirs. What cannot be given back ends by itself, and is said.
"""

from portmap.backends.nat import Nat
from portmap.doctor.findings import BackendAnswer, Findings, TrialResult
from portmap.doctor.probes.backends import BackendProbe
from portmap.errors import NATError, NotAuthorized, PluginError, Refused
from portmap.model import PortRequest

LEASE = 60  # seconds; long enough to be looked at, short enough to be left behind
PATIENCE = 6.0  # seconds for one call
NAME = "doctor"


def try_mappings(findings: Findings, hearing: BackendProbe) -> tuple[TrialResult, ...]:
    """One attempt for each request, at the gateway that answered first.

    Where none told its address, at those that said why not, until one maps: some tell it with a mapping only.
    """
    tried: tuple[TrialResult, ...] = ()
    for answer in findings.good[:1] or _unwilling(findings):
        nat = hearing.backend(answer.name)
        tried = tuple(_attempt(nat, request, findings) for request in findings.requests) if nat else ()
        if not any(attempt.error for attempt in tried):
            break
    return tried


def _unwilling(findings: Findings) -> list[BackendAnswer]:
    refused = [answer for answer in findings.chosen if isinstance(answer.error, Refused)]
    return [answer for answer in refused if not isinstance(answer.error, NotAuthorized)]


def _attempt(nat: Nat, request: PortRequest, findings: Findings) -> TrialResult:
    held = _held(nat, request, findings)
    if held:
        return TrialResult(str(nat), request, skipped=held)
    try:
        grant = nat.add_mapping(
            request.protocol, request.external_port, request.internal_port, NAME, LEASE, timeout=PATIENCE
        )
    except (NATError, PluginError) as error:
        return TrialResult(str(nat), request, error=error)
    left = _give_back(nat, request, grant.external_port, grant.token)
    return TrialResult(str(nat), request, grant.external_port, grant.lifetime, grant.external_ip, left=left)


def _held(nat: Nat, request: PortRequest, findings: Findings) -> str:
    """Why it is not tried, if it is held here already; empty if it is not."""
    if holder := findings.holder(request):
        return f"a running portmap (process {holder.pid}) holds it"
    if other := nat.other_holder(request.protocol, request.internal_port):
        return f"{other} holds it"
    here = (row for answer in findings.good for row in answer.table or () if answer.leads_here(row))
    for row in here:
        if (row.protocol, row.internal_port) == request.key:
            return f"it is open already, at external port {row.external_port}"
    return ""


def _give_back(nat: Nat, request: PortRequest, external_port: int, token: str) -> str:
    """Empty, or why the gateway keeps it."""
    try:
        nat.delete_mapping(request.protocol, external_port, request.internal_port, timeout=PATIENCE, token=token)
    except (NATError, PluginError) as error:
        return str(error)
    return ""
