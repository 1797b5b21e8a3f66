"""The one verdict on what was found: the first rule that has something to say.

Law: pure - findings in, a verdict out. The order is decided here, and is that in which things must be mended: who has
no router to talk to needs no word about CGNAT; who is behind CGNAT need not look for what listens.

 1. a plugin is broken, and nobody else could be asked
 2. our own address is public: no NAT is in the way
 3. nobody answers: no network, a container's bridge, switched off, nonsense
 4. the gateway answers and says no: policy, no address
 5. the address is worth nothing: several gateways, CGNAT, double NAT, another address seen outside
 6. the port: held by another, refused in the try, given elsewhere
 7. this host: nothing listens, its firewall
 8. all is well
"""

from collections.abc import Callable
from typing import TypeAlias

from portmap.doctor.findings import Findings
from portmap.doctor.rules import address, gateway, port
from portmap.doctor.verdict import Verdict

Rule: TypeAlias = Callable[[Findings], Verdict | None]

RULES: tuple[Rule, ...] = (
    gateway.plugin_broken,
    gateway.public_address,
    gateway.no_gateway,
    gateway.bridge_network,
    gateway.switched_off,
    gateway.garbled_answers,
    gateway.refused_by_policy,
    address.several_gateways,
    address.cgnat,
    address.double_nat,
    gateway.no_address,
    address.egress_differs,
    port.held_by_other,
    port.refused_in_the_try,
    port.given_elsewhere,
    port.not_listening,
    port.local_firewall,
)


def diagnose(findings: Findings) -> Verdict:
    """The verdict; `ok` where no rule has anything to say."""
    verdicts = (rule(findings) for rule in RULES)
    return next((verdict for verdict in verdicts if verdict), None) or _fine(findings)


def _fine(findings: Findings) -> Verdict:
    names = [*(answer.gateway for answer in findings.good), *(attempt.gateway for attempt in findings.attempts)]
    gateway = next(iter(names), "the gateway")
    if not findings.requests:
        text = f"{gateway} opens ports and has a public address. Name a port to look closer."
    elif findings.attempts:
        text = f"{gateway} opened the port when it was asked, and has a public address."
    else:
        text = f"{gateway} opens ports and has a public address; nothing here is in the way of this one."
    wanted = " ".join(port.port_text(request) for request in findings.requests) or "25565"
    return Verdict("ok", "Everything looks right.", text, (f"open it, for as long as it is needed: portmap {wanted}",))
