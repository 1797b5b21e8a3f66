"""The examination: everybody is asked while we look around, then the port is tried if that was wanted.

Law: read-only, unless `try_it`. Without a try it ends within `hearing.PATIENCE` seconds and about one more.
"""

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from portmap.doctor.findings import Findings, HostFirewall, HostNetwork, PortHolder
from portmap.doctor.probes.backends import PATIENCE, BackendProbe, ProbeTarget
from portmap.doctor.probes.firewall import read_firewall
from portmap.doctor.probes.nat_type import measure_nat
from portmap.doctor.probes.network import read_host_network
from portmap.doctor.probes.trial import try_mappings
from portmap.model import PortRequest
from portmap.network.listening_sockets import ListeningSocket, listening
from portmap.storage.journal_reader import SessionJournal
from portmap.wire.stun.servers import Server


@dataclass(frozen=True, slots=True)
class HostProbes:
    """How to look at this host."""

    network: Callable[[], HostNetwork] = read_host_network
    sockets: Callable[[Iterable[int]], tuple[ListeningSocket, ...] | None] = listening
    firewall: Callable[[tuple[int, ...]], HostFirewall] = read_firewall


def examine(
    witnesses: tuple[ProbeTarget, ...],
    requests: tuple[PortRequest, ...] = (),
    *,
    outside: ProbeTarget | None = None,
    holdings: Iterable[SessionJournal] = (),
    try_it: bool = False,
    patience: float = PATIENCE,
    senses: HostProbes = HostProbes(),
    nat_servers: tuple[Server, ...] = (),
) -> Findings:
    """All that can be found out. `outside` tells how the world sees us, `holdings` are this host's journals."""
    hearing = BackendProbe(witnesses, patience)
    mirror = BackendProbe((outside,) if outside else (), patience)
    ports = tuple(request.internal_port for request in requests if request.internal_port)
    network = senses.network()
    heard = senses.sockets(ports) if ports else None
    firewall = senses.firewall(ports) if ports else None
    seen = mirror.answers()
    findings = Findings(
        network=network,
        answers=hearing.answers(),
        requests=requests,
        listening=heard,
        firewall=firewall,
        outside=seen[0] if seen else None,
        holders=tuple(_holders(holdings)),
        nat=measure_nat(nat_servers) if len(nat_servers) > 1 else None,
    )
    return replace(findings, attempts=try_mappings(findings, hearing)) if try_it else findings


def _holders(holdings: Iterable[SessionJournal]) -> Iterable[PortHolder]:
    now = time.time()
    for holding in holdings:
        if holding.alive and holding.pid != os.getpid():
            yield from (PortHolder(holding.pid, it.key, it.external_port) for it in holding.open_entries(now))
