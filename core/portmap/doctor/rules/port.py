"""Rules about the wanted port: at the gateway, in the try, and on this host."""

from portmap.doctor.findings import Findings, TrialResult
from portmap.doctor.rules.gateway import policy
from portmap.doctor.verdict import Outcome, Verdict
from portmap.errors import Conflict, GatewayTimeout, NoGateway, NotAuthorized
from portmap.model import PortRequest


def port_text(request: PortRequest) -> str:
    """The request as it is written on a command line."""
    external = f"{request.external_port}:" if request.external_port else ""
    return f"{external}{request.internal_port}/{request.protocol.lower()}"


def held_by_other(findings: Findings) -> Verdict | None:
    """Somebody else has the external port."""
    for request in findings.rooted:
        for answer in findings.good:
            row = answer.row(request.protocol, request.wish)
            if row and not answer.answers(row, request):
                return _held(request, answer.whose(row))
    return None


def _held(request: PortRequest, who: str) -> Verdict:
    port, inner = f"{request.wish}/{request.protocol.lower()}", request.internal_port
    other = request.wish + 1 if request.wish < 65535 else request.wish - 1
    return Verdict(
        "held-by-other",
        f"Port {port} is taken on the router, by {who}.",
        "One port of the router leads to one device; the others have to take another one.",
        (
            f"take another public port: portmap {other}:{inner}",
            "or end the program there that holds it; a mapping with a lease then goes by itself",
        ),
        Outcome.CONFLICT,
    )


def refused_in_the_try(findings: Findings) -> Verdict | None:
    """The gateway answers, and would not map."""
    failed = next((attempt for attempt in findings.attempts if attempt.error), None)
    if failed is None:
        return None
    match failed.error:
        case NotAuthorized():
            return policy(failed.gateway, failed.error, findings)
        case Conflict():
            return _held(failed.request, "somebody whom it does not name")
        case NoGateway() | GatewayTimeout():
            return _fell_silent(failed)
    return Verdict(
        "refused",
        f"{failed.gateway} did not open the port.",
        f"It said: {failed.error}.",
        ("restart the router if this goes on", "or forward the port by hand in the router's settings"),
        Outcome.REFUSED,
    )


def _fell_silent(attempt: TrialResult) -> Verdict:
    return Verdict(
        "no-answer",
        f"{attempt.gateway} stopped answering when it was asked for the port.",
        f"It told its address, and then: {attempt.error}. Some routers fall silent where they should refuse.",
        ("look again; if it stays so, restart the router", "or forward the port by hand in the router's settings"),
        Outcome.FAULT,
    )


def given_elsewhere(findings: Findings) -> Verdict | None:
    """The gateway opened another port than the one that was wanted."""
    other = next((it for it in findings.attempts if it.external_port not in (0, it.request.wish)), None)
    if other is None or other.request.follow:
        return None
    return Verdict(
        "other-port",
        f"The router opens a port, but gives {other.external_port} instead of {other.request.wish}.",
        f"{other.gateway} chose it: port {other.request.wish} is taken or not for us there.",
        (
            "tell others the port that portmap shows, which it keeps",
            "or ask for another one: portmap EXTERNAL:INTERNAL",
        ),
    )


def not_listening(findings: Findings) -> Verdict | None:
    """Nobody on this host would take what arrives."""
    if findings.listening is None:
        return None
    for request in findings.rooted:
        sockets = findings.sockets(request)
        if sockets and not all(socket.address.is_loopback for socket in sockets):
            continue
        port = f"{request.internal_port}/{request.protocol.lower()}"
        return _deaf(port, sockets[0].program) if sockets else _empty(port)
    return None


def _empty(port: str) -> Verdict:
    return Verdict(
        "not-listening",
        f"Nothing listens on port {port} of this computer.",
        "The router can open the port, but whoever comes finds nobody at home.",
        ("start the game, server or program first", "is this the port that it uses? look into its settings"),
        Outcome.UNREACHABLE,
    )


def _deaf(port: str, program: str) -> Verdict:
    return Verdict(
        "not-listening",
        f"Port {port} is open for this computer itself only.",
        f"{program or 'The program'} listens on the loopback address, which nobody outside reaches.",
        ("let it listen on all addresses (0.0.0.0): look for 'bind' or 'listen address' in its settings",),
        Outcome.UNREACHABLE,
    )


def local_firewall(findings: Findings) -> Verdict | None:
    """Our host's own firewall is in the way."""
    if not findings.requests or findings.firewall is None or not findings.firewall.shut:
        return None
    wanted = " ".join(f"{it.internal_port}/{it.protocol.lower()}" for it in findings.requests)
    return Verdict(
        "local-firewall",
        f"This computer's own firewall keeps port {wanted} shut.",
        f"{findings.firewall.reason}.",
        (
            f"allow it, as in: ufw allow {wanted.split()[0]}, or firewall-cmd --add-port={wanted.split()[0]}",
            f"then look again: portmap doctor {port_text(findings.requests[0])}",
        ),
        Outcome.UNREACHABLE,
    )
