"""The verdict on the findings: that of the first rule that has one. Pure.

The rules are in the order in which faults have to be mended: without a router, CGNAT does not matter; behind CGNAT it
does not matter which program listens.

 1. every plugin is broken
 2. our own address is public, or there is only IPv6: no NAT is in the way
 3. nothing answers: no network, a container's bridge, a broken plugin, the provider's NAT, switched off
 4. the gateway answers, but garbled, or it refuses
 5. traffic does not pass there: several gateways, a VPN, another device
 6. the address cannot be reached: CGNAT, double NAT, another address seen outside
 7. the port: held by another, refused in the try, given elsewhere
 8. this host: no program listens, its firewall
 9. a responder outside: it reaches nothing
10. nothing is wrong
"""

from collections.abc import Callable
from typing import TypeAlias

from portmap.doctor.diagnosis import Diagnosis
from portmap.doctor.findings import AlreadyOpen, Findings
from portmap.doctor.rules import address, gateway, port

Rule: TypeAlias = Callable[[Findings], Diagnosis | None]

RULES: tuple[Rule, ...] = (
    gateway.all_broken,
    gateway.public_address,
    gateway.ipv6_only,
    gateway.no_gateway,
    gateway.bridge_network,
    gateway.some_broken,
    address.own_cgnat,
    gateway.switched_off,
    gateway.garbled_answers,
    gateway.refused_by_policy,
    address.several_gateways,
    address.traffic_elsewhere,
    address.other_gateway,
    address.cgnat,
    address.double_nat,
    gateway.no_address,
    address.egress_differs,
    port.held_by_other,
    port.refused_in_the_try,
    port.given_elsewhere,
    port.not_listening,
    port.local_firewall,
    port.unreachable_from_outside,
)


def diagnose(findings: Findings) -> Diagnosis:
    """The verdict; `ok` where no rule has one."""
    verdicts = (rule(findings) for rule in RULES)
    return next((verdict for verdict in verdicts if verdict), None) or _fine(findings)


def _fine(findings: Findings) -> Diagnosis:
    opened = [it for request in findings.requests if (it := findings.opened(request))]
    if findings.reached and all(found.open for found in findings.reached):
        return _proved(findings)
    if opened and len(opened) == len(findings.requests):
        return _open_already(opened)
    names = [*(answer.gateway for answer in findings.good), *(attempt.gateway for attempt in findings.attempts)]
    name = next(iter(names), "The gateway")
    if not findings.requests:
        return Diagnosis(
            "ok",
            "Everything looks right.",
            f"{name} answers and states a public address. Name a port to look closer.",
            ("look at a port: portmap doctor PORT",),
        )
    done = "opened the port when it was asked" if findings.attempts else "answers"
    missing = [request for request in findings.requests if not findings.opened(request)]
    ports = " ".join(gateway.port_text(request) for request in missing)
    return Diagnosis(
        "ok",
        "Everything looks right.",
        f"{name} {done}, and states a public address; nothing here is in the way.",
        (f"open it, for as long as it is needed: portmap {ports}", *_try_from_outside(opened)),
    )


def _proved(findings: Findings) -> Diagnosis:
    places = " and ".join(f"{found.external_ip}:{found.external_port} ({found.protocol})" for found in findings.reached)
    return Diagnosis("ok", "The port can be reached from outside.", f"{findings.reached[0].how} reached {places}.")


def _open_already(opened: list[AlreadyOpen]) -> Diagnosis:
    who = " and ".join(dict.fromkeys(it.who for it in opened))
    places = " and ".join(f"{it.where} ({it.request.protocol})" for it in opened)
    return Diagnosis(
        "ok",
        "Everything looks right: the port is open at the router.",
        f"{who} has opened it, at {places}.",
        _try_from_outside(opened),
    )


def _try_from_outside(opened: list[AlreadyOpen]) -> tuple[str, ...]:
    places = " and ".join(dict.fromkeys(it.where for it in opened))
    return (f"try it from outside, as from a phone without Wi-Fi: {places}",) if places else ()
