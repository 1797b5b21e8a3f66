"""--via URL: can the ports be reached from outside, by the responder that the user named."""

from collections.abc import Iterator

from portmap.doctor.findings import Findings
from portmap.reachability.check import Endpoint, check_port
from portmap.reachability.echo import EchoClient
from portmap.reachability.verdict import Reachability


def reach_ports(findings: Findings, responder: EchoClient) -> Iterator[Reachability]:
    """One verdict for each port that is open at the gateway; one that is not cannot be reached."""
    for request in findings.rooted:
        opened = findings.opened(request)
        if opened is not None:
            endpoint = Endpoint(opened.address, opened.external_port)
            yield check_port(request, endpoint, responder, interface=findings.network.chosen or None)
