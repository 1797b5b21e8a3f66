"""The gateway beyond the router: whether it answers, where the router's own address is not public. It opens nothing.

It is looked for on the way out, so only beyond the router that is this host's default gateway.
"""

from collections.abc import Callable, Iterable
from functools import partial
from ipaddress import IPv4Address

from portmap.backends.any.candidates import Candidate
from portmap.backends.chain.next_gateway import candidates_at, places_of
from portmap.doctor.findings import Beyond, Findings
from portmap.doctor.probes.backends import BackendProbe, ProbeTarget
from portmap.hookspecs import BACKENDS
from portmap.loading.catalog import Catalogue
from portmap.model import Scope
from portmap.wire import path_probe

TIMEOUT = 3.0  # seconds; the two protocols by UDP answer within three tries, a search for UPnP takes 2.5
_SECOND = 2  # its place on the way out


def look_beyond(
    findings: Findings,
    router_at: Callable[[int], IPv4Address | None] | None = None,
    asked_at: Callable[[IPv4Address], Iterable[Candidate]] | None = None,
    interface: str | None = None,
) -> Beyond | None:
    """Who answers beyond the router; None where there is nothing to look for.

    `interface`: the way out by this one; None: the routing table decides.
    """
    answer = next(iter(findings.good), None)
    if answer is None or answer.host not in findings.network.gateways[:1]:
        return None
    if answer.scope not in (Scope.PRIVATE, Scope.CGNAT):
        return None
    places = places_of(_SECOND, answer.address, router_at or partial(path_probe.router_at, interface=interface))
    backends_at = asked_at or partial(candidates_at, Catalogue(BACKENDS), interface=interface)
    asked = [backend for place in places for backend in backends_at(place)]
    return Beyond(places, BackendProbe(map(_target, asked), TIMEOUT).answers())


def _target(candidate: Candidate) -> ProbeTarget:
    return ProbeTarget(candidate.name, candidate.load, has_address=True)
