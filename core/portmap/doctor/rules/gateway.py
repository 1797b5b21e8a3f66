"""Rules about the gateway: whether there is one, whether it answers, whether it lets us."""

from portmap.doctor.findings import BackendAnswer, Findings
from portmap.doctor.rules.vendors import Vendor, vendor_of
from portmap.doctor.verdict import Outcome, Verdict
from portmap.errors import Garbled, NotAuthorized, Refused
from portmap.model import Scope, scope_of

_SWITCHED_OFF = 501  # what a UPnP daemon answers to everything while it is switched off: miniupnpd PR#890
_NAMES = "look for UPnP, NAT-PMP, PCP or 'allow programs to open ports'"


def plugin_broken(findings: Findings) -> Verdict | None:
    """Nobody could be asked, for the plugins themselves failed."""
    if findings.chosen:
        return None
    faults = tuple(str(answer.error) for answer in findings.answers if answer.broken)
    text = faults[0] if faults else "no installed backend speaks to a gateway"
    steps = ("install it anew: pip install --force-reinstall portmap-nat", "see what is installed: portmap plugins")
    return Verdict(
        "plugin-broken", "The part of portmap that speaks to routers is broken.", text, steps, Outcome.PLUGIN
    )


def public_address(findings: Findings) -> Verdict | None:
    """We have a public address ourselves."""
    us = findings.network.us
    if us is None or scope_of(us) is not Scope.PUBLIC or findings.good:
        return None
    return Verdict(
        "public-address",
        "No router is in between: this computer has a public address itself.",
        f"{us} can be reached from outside as it is; there is nothing to map, only firewalls to open.",
        (f"use it as it is: portmap --nat extip:{us}", "open the port in this computer's own firewall"),
    )


def no_gateway(findings: Findings) -> Verdict | None:
    """Not even the routing table knows a router."""
    if findings.good or findings.network.gateways or not _all_silent(findings):
        return None
    return Verdict(
        "no-gateway",
        "No router was found.",
        "This computer has no default gateway, so there is nobody to ask for a port.",
        (
            "is the network up? plug in the cable or join the Wi-Fi, then try again",
            "with a VPN, name its gateway: portmap doctor --nat pmp:10.2.0.1",
        ),
        Outcome.NO_GATEWAY,
    )


def bridge_network(findings: Findings) -> Verdict | None:
    """A container's bridge is in the way."""
    if not findings.network.bridged or findings.good or not _all_silent(findings):
        return None
    return Verdict(
        "bridge-network",
        "We are in a container, and its bridge hides the router.",
        "A search by multicast does not cross a container's bridge, and its gateway is the host, not the router.",
        (
            "run the container in the host's network: docker run --network host, compose: network_mode: host",
            "or name the router, if it lets others than the host itself ask: --nat upnp:http://192.168.1.1:5000/desc.xml",
            "or run portmap on the host itself",
        ),
        Outcome.NO_GATEWAY,
    )


def switched_off(findings: Findings) -> Verdict | None:
    """There is a router, and it does not speak what we speak; it matters only where nobody else does."""
    off = [answer for answer in findings.chosen if answer.silent or _says_off(answer)]
    if findings.good or not off or len(off) < len(findings.chosen):
        return None
    what = ", ".join(answer.protocol for answer in off)
    code = f"{off[0].backend}-disabled" if len(off) == 1 else "mapping-disabled"
    where = f"The router {_router(findings)}"
    steps = _steps_to_switch_on(findings)
    return Verdict(
        code,
        f"{where} answers no {what}: it is switched off, or it has none.",
        "Without it no program can open a port by itself; the router's owner can, by hand.",
        steps,
        Outcome.NO_GATEWAY,
    )


def garbled_answers(findings: Findings) -> Verdict | None:
    """It answers, but nothing that makes sense."""
    garbled = [answer for answer in findings.chosen if isinstance(answer.error, Garbled)]
    if findings.good or not garbled or _refusals(findings):
        return None
    return Verdict(
        "router-fault",
        f"{garbled[0].gateway} answers nonsense.",
        f"{garbled[0].error}.",
        ("restart the router, and update its firmware", "send us what it says: portmap doctor --capture FILE"),
        Outcome.FAULT,
    )


def refused_by_policy(findings: Findings) -> Verdict | None:
    """The gateway forbids this host to map at all."""
    refusal = next((it for it in _refusals(findings) if isinstance(it.error, NotAuthorized)), None)
    return None if findings.good or refusal is None else policy(refusal.gateway, refusal.error, findings)


def policy(gateway: str, error: Exception | None, findings: Findings) -> Verdict:
    """The verdict for a gateway that forbids it."""
    words = vendor_advice(findings).allow
    general = "allow this computer to open ports in the router's settings, where they list UPnP or port sharing"
    return Verdict(
        "refused-by-policy",
        f"{gateway} forbids this computer to open that port.",
        f"It understood and said no: {error}.",
        (words or general, "or forward the port by hand in the router's settings"),
        Outcome.REFUSED,
    )


def no_address(findings: Findings) -> Verdict | None:
    """The gateway has no external address to tell, and has not mapped either."""
    refusals = _refusals(findings)
    if findings.good or not refusals or any(attempt.external_port for attempt in findings.attempts):
        return None
    return Verdict(
        "no-address",
        f"{refusals[0].gateway} tells no public address.",
        f"It says: {refusals[0].error}. Its line may be down, or another router or the provider's NAT is in front of "
        "it: many routers then keep their private address to themselves.",
        (
            "does the Internet work here? If not, look at the router's line",
            "if it does, find the address of the router's Internet port (WAN) in its settings",
            "192.168.x.x, 10.x.x.x and 172.16-31.x.x mean a second router in front, 100.64-127.x.x the provider's NAT",
            "or let more be tried: portmap doctor 25565 --try --stun HOST:PORT",
        ),
        Outcome.UNREACHABLE,
    )


def vendor_advice(findings: Findings) -> Vendor:
    """The words of whoever made the router, if anything gives them away."""
    texts = [text for answer in findings.answers for text in (answer.gateway, *answer.evidence)]
    return vendor_of([*texts, *(f" {gateway} " for gateway in findings.network.gateways)])


def _steps_to_switch_on(findings: Findings) -> tuple[str, ...]:
    if findings.elsewhere:
        other = findings.elsewhere[0]
        return (f"{other.protocol} does answer: use --nat {other.backend}, or --nat any",)
    general = f"switch it on in the router's settings, at http://{_router(findings)}/ as a rule: {_NAMES}"
    return (vendor_advice(findings).switch_on or general, "or forward the port there by hand")


def _router(findings: Findings) -> str:
    placed = next((answer.host for answer in findings.chosen if answer.placed and answer.host), "")
    gateways = findings.network.gateways
    return placed or (str(gateways[0]) if gateways else "of this network")


def _all_silent(findings: Findings) -> bool:
    return all(answer.silent for answer in findings.chosen) and not any(answer.placed for answer in findings.chosen)


def _says_off(answer: BackendAnswer) -> bool:
    return isinstance(answer.error, Refused) and answer.error.code == _SWITCHED_OFF


def _refusals(findings: Findings) -> list[BackendAnswer]:
    return [answer for answer in findings.chosen if isinstance(answer.error, Refused) and not _says_off(answer)]
