"""The examination: everybody is asked while we look around, then the port is tried if that was wanted.

Law: read-only, unless `try_it`. Without a try it ends within `hearing.PATIENCE` seconds and about one more.
"""

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from portmap.doctor.findings import Findings, Firewall, Holder, Network, Socket
from portmap.doctor.probes.backends import PATIENCE, Hearing, Witness
from portmap.doctor.probes.firewall import look_at_firewall
from portmap.doctor.probes.network import look_around
from portmap.doctor.probes.sockets import listening
from portmap.doctor.probes.trial import attempts
from portmap.model import PortRequest
from portmap.storage.journal_reader import Holding


@dataclass(frozen=True, slots=True)
class Senses:
    """How to look at this host."""

    network: Callable[[], Network] = look_around
    sockets: Callable[[Iterable[int]], tuple[Socket, ...] | None] = listening
    firewall: Callable[[tuple[int, ...]], Firewall] = look_at_firewall


def examine(
    witnesses: tuple[Witness, ...],
    requests: tuple[PortRequest, ...] = (),
    *,
    outside: Witness | None = None,
    holdings: Iterable[Holding] = (),
    try_it: bool = False,
    patience: float = PATIENCE,
    senses: Senses = Senses(),
) -> Findings:
    """All that can be found out. `outside` tells how the world sees us, `holdings` are this host's journals."""
    hearing = Hearing(witnesses, patience)
    mirror = Hearing((outside,) if outside else (), patience)
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
    )
    return replace(findings, attempts=attempts(findings, hearing)) if try_it else findings


def _holders(holdings: Iterable[Holding]) -> Iterable[Holder]:
    now = time.time()
    for holding in holdings:
        if holding.alive and holding.pid != os.getpid():
            yield from (Holder(holding.pid, it.key, it.external_port) for it in holding.held(now))
