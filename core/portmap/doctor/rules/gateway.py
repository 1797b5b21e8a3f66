"""Rules about the gateway: whether there is one, whether it answers, whether it lets us."""

from portmap.doctor.diagnosis import Diagnosis, Outcome
from portmap.doctor.findings import BackendAnswer, Findings
from portmap.doctor.rules.vendors import Vendor, vendor_of
from portmap.errors import Garbled, NoPublicAddress, NotAuthorized, Refused
from portmap.model import PortRequest, Scope, is_nominal, scope_of

_SWITCHED_OFF = 501  # what a UPnP daemon answers to everything while it is switched off: miniupnpd PR#890
_NAMES = "look for UPnP, NAT-PMP, PCP or 'allow programs to open ports'"


def all_broken(findings: Findings) -> Diagnosis | None:
    """Every plugin failed: no gateway could be asked."""
    return _plugin_broken(findings) if not findings.chosen else None


def some_broken(findings: Findings) -> Diagnosis | None:
    """A plugin failed, and no other backend found a gateway: the broken one might have."""
    found = findings.good or not all(answer.silent for answer in findings.chosen)
    return None if found or not _broken(findings) else _plugin_broken(findings)


def _broken(findings: Findings) -> list[BackendAnswer]:
    return [answer for answer in findings.answers if answer.broken and (answer.chosen or not findings.chosen)]


def _plugin_broken(findings: Findings) -> Diagnosis:
    broken = _broken(findings)
    if broken:
        title = f"portmap could not ask the router by {' and '.join(answer.backend for answer in broken)}."
        text = _sentence(str(broken[0].error))
    else:
        title, text = "portmap cannot speak to any router.", "No backend that speaks to a gateway is installed."
    steps = (
        "install what is missing: pip install --upgrade --force-reinstall portmap-nat",
        "see what is installed, and what is wrong with it: portmap plugins",
    )
    return Diagnosis("plugin-broken", title, text, steps, Outcome.PLUGIN)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."


def public_address(findings: Findings) -> Diagnosis | None:
    """Our own address is public, and nothing speaks against it."""
    us = findings.network.us
    if us is None or scope_of(us) is not Scope.PUBLIC or findings.good or _is_borrowed(findings):
        return None
    return Diagnosis(
        "public-address",
        "No router is in between: this computer has a public address itself.",
        f"{us} is a public address, and no router answers. There is nothing to map; only firewalls can be in the way.",
        (
            f"use it as it is: portmap --nat extip:{us}",
            "open the port in this computer's own firewall",
            "do websites see another address? Then forward the port by hand in the router of your network",
        ),
    )


def _is_borrowed(findings: Findings) -> bool:
    """Whether the world sees another address: then our own is one that the LAN uses without owning it."""
    return findings.outside is not None and findings.outside.good and findings.outside.address != findings.network.us


def ipv6_only(findings: Findings) -> Diagnosis | None:
    """There is no way out by IPv4, but there is one by IPv6."""
    network = findings.network
    if findings.good or network.ipv6 is None or network.gateways or network.us or not _all_silent(findings):
        return None
    return Diagnosis(
        "ipv6-only",
        "This computer has IPv6 only: there is no IPv4 port to open.",
        f"Its address is {network.ipv6}. IPv6 needs no mapping: only the router's IPv6 firewall can be in the way.",
        (
            f"open the port in that firewall: portmap -6 {wanted_ports(findings)}",
            "if the router cannot be asked, open it there by hand, for this computer's IPv6 address",
        ),
        Outcome.NO_GATEWAY,
    )


def wanted_ports(findings: Findings) -> str:
    """The ports that the user asked about, as on a command line; PORT where none was named."""
    return " ".join(port_text(request) for request in findings.requests) or "PORT"


def port_text(request: PortRequest) -> str:
    """The request as it is written on a command line."""
    external = f"{request.external_port}:" if request.external_port else ""
    internal = str(request.internal_port)
    if request.follow:
        internal = "follow" if is_nominal(request.internal_port) else f"{internal}=follow"
    return f"{external}{internal}/{request.protocol.lower()}"


def no_gateway(findings: Findings) -> Diagnosis | None:
    """The routing table names no router, and nothing answers."""
    if findings.good or findings.network.gateways or not _all_silent(findings):
        return None
    return Diagnosis(
        "no-gateway",
        "No router was found.",
        "This computer has no default gateway, so there is no router to ask for a port.",
        (
            "is the network up? plug in the cable or join the Wi-Fi, then try again",
            "with a VPN, name its gateway: portmap doctor --nat pmp:10.2.0.1",
        ),
        Outcome.NO_GATEWAY,
    )


def bridge_network(findings: Findings) -> Diagnosis | None:
    """A container's bridge hides the router."""
    if not findings.network.bridged or findings.good or not _all_silent(findings):
        return None
    return Diagnosis(
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


def switched_off(findings: Findings) -> Diagnosis | None:
    """No protocol is answered, or UPnP answers that it is off."""
    off = [answer for answer in findings.chosen if answer.silent or _says_off(answer)]
    if findings.good or not off or len(off) < len(findings.chosen):
        return None
    what = ", ".join(answer.protocol for answer in off)
    code = f"{off[0].backend}-disabled" if len(off) == 1 else "mapping-disabled"
    named = _named_beside(findings)
    who = f"{named}, the address that you named," if named else f"The router {_router(findings)}"
    return Diagnosis(
        code,
        f"{who} does not answer {what}: it is switched off, or the device does not have it.",
        "Without it no program can open a port by itself; the router's owner can, by hand.",
        (*_right_address(named, off[0], findings), *_steps_to_switch_on(findings)),
        Outcome.NO_GATEWAY,
    )


def _named_beside(findings: Findings) -> str:
    """The gateway that the user named, where it is none of the default gateways; else empty."""
    named = next((answer.host for answer in findings.chosen if answer.placed and answer.host), None)
    return "" if named is None or named in findings.network.gateways else str(named)


def _right_address(named: str, answer: BackendAnswer, findings: Findings) -> tuple[str, ...]:
    """What to ask who named a gateway that is not the default one; a VPN's gateway may be right all the same."""
    if not named or not findings.network.gateways:
        return ()
    default = findings.network.gateways[0]
    takes_address = answer.name == f"{answer.backend}:{answer.host}"  # others take a URL, say
    spec = f"--nat {answer.backend}:{default}" if takes_address else f"--nat {answer.backend}"
    return (f"is the address right? The default gateway here is {default}: portmap doctor {spec}",)


def garbled_answers(findings: Findings) -> Diagnosis | None:
    """The gateway's answers break the protocol."""
    garbled = [answer for answer in findings.chosen if isinstance(answer.error, Garbled)]
    if findings.good or not garbled or _refusals(findings):
        return None
    return Diagnosis(
        "router-fault",
        f"{garbled[0].gateway} answers what the protocol does not allow.",
        _sentence(str(garbled[0].error)),
        ("restart the router, and update its firmware", "record what it says, for us: portmap doctor --capture FILE"),
        Outcome.FAULT,
    )


def refused_by_policy(findings: Findings) -> Diagnosis | None:
    """The gateway forbids this host to open any port."""
    refusal = next((it for it in _refusals(findings) if isinstance(it.error, NotAuthorized)), None)
    return None if findings.good or refusal is None else policy(refusal.gateway, refusal.error, findings)


def policy(gateway: str, error: Exception | None, findings: Findings) -> Diagnosis:
    """The verdict for a gateway that forbids this host to open a port."""
    words = vendor_advice(findings).allow
    general = "allow this computer to open ports in the router's settings, where they list UPnP or port sharing"
    return Diagnosis(
        "refused-by-policy",
        f"{gateway} forbids this computer to open that port.",
        f"It understood and said no: {_sentence(str(error))}",
        (words or general, "or forward the port by hand in the router's settings"),
        Outcome.REFUSED,
    )


def no_address(findings: Findings) -> Diagnosis | None:
    """The gateway states no external address, and opened no port in a try."""
    refusals = _refusals(findings)
    if findings.good or not refusals or any(attempt.external_port for attempt in findings.attempts):
        return None
    return Diagnosis(
        "no-address",
        f"{refusals[0].gateway} states no public address.",
        _why_no_address(refusals[0]),
        (
            "does the Internet work here? If not, look at the router's line",
            "if it does, find the address of the router's Internet port (WAN) in its settings",
            "192.168.x.x, 10.x.x.x and 172.16-31.x.x mean a second router in front, 100.64-127.x.x the provider's NAT",
            f"or try more: portmap doctor {wanted_ports(findings)} --try --stun HOST:PORT",
        ),
        Outcome.UNREACHABLE,
    )


def _why_no_address(answer: BackendAnswer) -> str:
    said = f"It says: {_sentence(str(answer.error).removeprefix(answer.gateway).lstrip())}"
    if isinstance(answer.error, NoPublicAddress):
        return said  # that says the same
    return (
        f"{said} Its line may be down, or another router or the provider's NAT is in front of it: many routers then do "
        "not state their private address."
    )


def vendor_advice(findings: Findings) -> Vendor:
    """The advice for the router's vendor, if anything gives the vendor away."""
    texts = [text for answer in findings.answers for text in (answer.gateway, *answer.evidence)]
    return vendor_of([*texts, *(f" {gateway} " for gateway in findings.network.gateways)])


def _steps_to_switch_on(findings: Findings) -> tuple[str, ...]:
    if findings.elsewhere:
        other = findings.elsewhere[0]
        return (f"{other.protocol} does answer: use --nat {other.backend}, or --nat any",)
    general = f"switch it on in the router's settings, at http://{_router(findings)}/ as a rule: {_NAMES}"
    return (vendor_advice(findings).switch_on or general, "or forward the port there by hand")


def _router(findings: Findings) -> str:
    placed = next((answer.host for answer in findings.chosen if answer.placed and answer.host), None)
    gateways = findings.network.gateways
    return str(placed or (gateways[0] if gateways else "of this network"))


def _all_silent(findings: Findings) -> bool:
    return all(answer.silent for answer in findings.chosen) and not any(answer.placed for answer in findings.chosen)


def _says_off(answer: BackendAnswer) -> bool:
    return isinstance(answer.error, Refused) and answer.error.code == _SWITCHED_OFF


def _refusals(findings: Findings) -> list[BackendAnswer]:
    return [answer for answer in findings.chosen if isinstance(answer.error, Refused) and not _says_off(answer)]
