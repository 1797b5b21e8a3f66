"""Runs the probes: all backends at once, this host meanwhile, then what is beyond, and a try of the ports.

Read-only, unless `try_it`. Without a try it ends within `TIMEOUT` seconds and about one more; behind double NAT, where
the next gateway is asked as well, within four more.
"""

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Self

from portmap.doctor.findings import Beyond, Findings, HostFirewall, HostNetwork, PortHolder
from portmap.doctor.probes.backends import TIMEOUT, BackendProbe, ProbeTarget
from portmap.doctor.probes.beyond import look_beyond
from portmap.doctor.probes.firewall import read_firewall
from portmap.doctor.probes.nat_type import measure_nat
from portmap.doctor.probes.network import read_host_network
from portmap.doctor.probes.reachability import reach_ports
from portmap.doctor.probes.trial import try_mappings
from portmap.model import PortRequest
from portmap.network.listening_sockets import ListeningSocket, listening
from portmap.reachability.echo import EchoClient
from portmap.reachability.nat_type import NatType
from portmap.storage.journal_reader import SessionJournal
from portmap.wire.stun.servers import Server


@dataclass(frozen=True, slots=True)
class HostProbes:
    """The functions that read this host; a test has its own."""

    network: Callable[[], HostNetwork] = read_host_network
    sockets: Callable[[Iterable[int]], tuple[ListeningSocket, ...] | None] = listening
    firewall: Callable[[tuple[int, ...]], HostFirewall] = read_firewall
    beyond: Callable[[Findings], Beyond | None] = look_beyond
    nat: Callable[[tuple[Server, ...]], NatType | str] = measure_nat

    @classmethod
    def on(cls, interface: str | None) -> Self:
        """The usual ones, by this interface; None: the routing table decides."""
        return cls(
            network=partial(read_host_network, interface),
            beyond=partial(look_beyond, interface=interface),
            nat=partial(measure_nat, interface=interface),
        )


def examine(
    targets: tuple[ProbeTarget, ...],
    requests: tuple[PortRequest, ...] = (),
    *,
    outside: ProbeTarget | None = None,
    holdings: Iterable[SessionJournal] = (),
    left_open: Iterable[SessionJournal] = (),
    try_it: bool = False,
    timeout: float = TIMEOUT,
    probes: HostProbes = HostProbes(),
    nat_servers: tuple[Server, ...] = (),
    responder: EchoClient | None = None,
) -> Findings:
    """Run the probes. `outside`: the server that tells how the world sees us; `holdings`: the sessions' journals.

    `left_open`: the journals of `portmap open`, whose mappings outlive their process.
    """
    backends = BackendProbe(targets, timeout)
    mirror = BackendProbe((outside,) if outside else (), timeout)
    ports = tuple(request.internal_port for request in requests if request.internal_port)
    network = probes.network()
    sockets = probes.sockets(ports) if ports else None
    firewall = probes.firewall(ports) if ports else None
    seen = mirror.answers()
    findings = Findings(
        network=network,
        answers=backends.answers(),
        requests=requests,
        listening=sockets,
        firewall=firewall,
        outside=seen[0] if seen else None,
        holders=(*_holders(holdings), *_left(left_open)),
        nat=probes.nat(nat_servers) if len(nat_servers) > 1 else None,
    )
    findings = replace(findings, beyond=probes.beyond(findings))
    if responder is not None:
        findings = replace(findings, reached=tuple(reach_ports(findings, responder)))
    return replace(findings, attempts=try_mappings(findings, backends)) if try_it else findings


def _left(journals: Iterable[SessionJournal]) -> Iterable[PortHolder]:
    now = time.time()
    for journal in journals:
        yield from (PortHolder(0, it.key, it.external_port) for it in journal.open_entries(now))


def _holders(holdings: Iterable[SessionJournal]) -> Iterable[PortHolder]:
    now = time.time()
    for holding in holdings:
        if holding.alive and holding.pid != os.getpid():
            yield from (PortHolder(holding.pid, it.key, it.external_port) for it in holding.open_entries(now))
