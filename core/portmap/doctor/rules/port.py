"""Rules about the wanted port: at the gateway, in the try, and on this host."""

from portmap.doctor.diagnosis import Diagnosis, Outcome
from portmap.doctor.findings import Findings, TrialResult
from portmap.doctor.rules.gateway import policy, port_text
from portmap.errors import Conflict, GatewayTimeout, NoGateway, NotAuthorized
from portmap.model import PortRequest, Protocol
from portmap.reachability.verdict import Blame, Verdict


def held_by_other(findings: Findings) -> Diagnosis | None:
    """Another device or program has the external port."""
    for request in findings.rooted:
        for answer in findings.good:
            row = answer.row(request.protocol, request.suggested_port)
            if row and not answer.answers(row, request):
                return _held(request, answer.whose(row))
    return None


def _held(request: PortRequest, who: str) -> Diagnosis:
    port, inner = f"{request.suggested_port}/{request.protocol.lower()}", request.internal_port
    other = request.suggested_port + 1 if request.suggested_port < 65535 else request.suggested_port - 1
    return Diagnosis(
        "held-by-other",
        f"Port {port} is taken on the router, by {who}.",
        "A port of the router leads to one device only; this computer needs another one.",
        (
            f"take another public port: portmap {other}:{inner}{_protocol_suffix(request)}",
            "or end the program that holds it; a mapping with a lease then ends by itself",
        ),
        Outcome.CONFLICT,
    )


def refused_in_the_try(findings: Findings) -> Diagnosis | None:
    """The gateway refused the mapping of `--try`."""
    failed = next((attempt for attempt in findings.attempts if attempt.error), None)
    if failed is None:
        return None
    match failed.error:
        case NotAuthorized():
            return policy(failed.gateway, failed.error, findings)
        case Conflict():
            return _held(failed.request, "a device that it does not name")
        case NoGateway() | GatewayTimeout():
            return _fell_silent(failed)
    return Diagnosis(
        "refused",
        f"{failed.gateway} did not open the port.",
        f"It said: {failed.error}.",
        ("restart the router if this goes on", "or forward the port by hand in the router's settings"),
        Outcome.REFUSED,
    )


def _protocol_suffix(request: PortRequest) -> str:
    return "" if request.protocol is Protocol.TCP else f"/{request.protocol.lower()}"


def _fell_silent(attempt: TrialResult) -> Diagnosis:
    return Diagnosis(
        "no-answer",
        f"{attempt.gateway} stopped answering when it was asked for the port.",
        f"It stated its address, and then: {attempt.error}. Some routers fall silent instead of refusing.",
        ("look again; if that does not help, restart the router", "or forward the port there by hand"),
        Outcome.FAULT,
    )


def given_elsewhere(findings: Findings) -> Diagnosis | None:
    """The gateway opened another port than the one that was wanted."""
    other = next((it for it in findings.attempts if it.external_port not in (0, it.request.suggested_port)), None)
    if other is None or other.request.follow:
        return None
    return Diagnosis(
        "other-port",
        f"The router opens a port, but gives {other.external_port} instead of {other.request.suggested_port}.",
        f"{other.gateway} chose it: port {other.request.suggested_port} is taken there, or not allowed.",
        (
            "give others the port that portmap prints; portmap keeps it",
            f"or ask for another one: portmap EXTERNAL:{other.request.internal_port}{_protocol_suffix(other.request)}",
        ),
    )


def not_listening(findings: Findings) -> Diagnosis | None:
    """No program on this host listens on the port."""
    if findings.listening is None:
        return None
    for request in findings.rooted:
        sockets = findings.sockets(request)
        if sockets and not all(socket.address.is_loopback for socket in sockets):
            continue
        port = f"{request.internal_port}/{request.protocol.lower()}"
        return _on_loopback(port, sockets[0].program) if sockets else _unused(port, request, findings)
    return None


def _unused(port: str, request: PortRequest, findings: Findings) -> Diagnosis:
    opened = findings.opened(request)
    said = f"{opened.who} has opened it at the router" if opened else ""
    if any(attempt.request == request and attempt.external_port for attempt in findings.attempts):
        said = "The router did open the port"
    return Diagnosis(
        "not-listening",
        f"No program listens on port {port} of this computer.",
        f"{said}, but no program here answers." if said else "Even with the port open, no program here would answer.",
        ("start the game, server or program first", "is this the port that it uses? look into its settings"),
        Outcome.UNREACHABLE,
    )


def _on_loopback(port: str, program: str) -> Diagnosis:
    return Diagnosis(
        "not-listening",
        f"Port {port} is open for this computer itself only.",
        f"{program or 'The program'} listens on the loopback address, which no other computer reaches.",
        ("let it listen on all addresses (0.0.0.0): look for 'bind' or 'listen address' in its settings",),
        Outcome.UNREACHABLE,
    )


def unreachable_from_outside(findings: Findings) -> Diagnosis | None:
    """A responder outside could not reach a port that is open at the gateway, while a program listens."""
    shut = next((it for it in findings.reached if it.verdict is Verdict.CLOSED and it.by != Blame.HOST), None)
    if shut is None:
        return None
    port = f"{shut.external_port}/{shut.protocol.lower()}"
    return Diagnosis(
        "unreachable",
        f"Port {port} is open at the router, but nothing from outside arrives.",
        f"A responder outside tried it. It is closed by {shut.by}.",
        (
            "restart the router: some list a mapping and forward nothing",
            "hold it with --prove URL, which mends it where that is possible",
            "ask the provider whether it filters incoming connections",
        ),
        Outcome.UNREACHABLE,
    )


def local_firewall(findings: Findings) -> Diagnosis | None:
    """Our host's own firewall blocks the port."""
    if not findings.requests or findings.firewall is None or not findings.firewall.shut:
        return None
    wanted = " ".join(f"{it.internal_port}/{it.protocol.lower()}" for it in findings.requests)
    return Diagnosis(
        "local-firewall",
        f"This computer's own firewall blocks port {wanted}.",
        f"{findings.firewall.reason}.",
        (
            f"allow it: ufw allow {wanted.split()[0]}, or firewall-cmd --add-port={wanted.split()[0]}",
            f"then look again: portmap doctor {port_text(findings.requests[0])}",
        ),
        Outcome.UNREACHABLE,
    )
