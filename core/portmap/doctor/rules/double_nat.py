"""Which command opens a port through two NATs, or why none will. Pure."""

from portmap.doctor.findings import BackendAnswer, Beyond, Findings
from portmap.model import Protocol, Scope
from portmap.reachability.nat_type import Behaviour, NatType
from portmap.syntax.plugin_specs import shown_spec

_NONE = "no command opens the port in the router in front"


def commands_through(findings: Findings) -> tuple[str, ...]:
    """What to type; where nothing can be typed, why."""
    port = _port(findings)
    if not findings.good:
        return f"{_NONE}: your router maps nothing while its own address is not public", _punch(findings, port)
    if (beyond := findings.beyond) is None:
        return (f"if the router in front can be asked, this opens both: {_command(findings, 'auto', port)}",)
    if (answer := beyond.best) is None:
        return f"{_NONE}: {_why_not(beyond)}", _punch(findings, port)
    beyond_it = _typed(answer)
    if answer.scope is Scope.PUBLIC:
        return (f"open the port in both routers: {_command(findings, beyond_it, port)}",)
    return (f"open it in both, and look for a third: {_command(findings, f'{beyond_it} --beyond auto', port)}",)


def _command(findings: Findings, beyond: str, port: str) -> str:
    return f"{_portmap(findings)} --nat {_typed(findings.good[0])} --beyond {beyond} {port}"


def _portmap(findings: Findings) -> str:
    """The command with the interface that was chosen."""
    return f"portmap --interface {findings.network.chosen}" if findings.network.chosen else "portmap"


def _typed(answer: BackendAnswer) -> str:
    """The backend as it is typed. An argument that may hold a secret is left out; an address is not."""
    return answer.name if shown_spec(answer.name) == answer.name else answer.backend


def _why_not(beyond: Beyond) -> str:
    if not beyond.places:
        return "it makes itself not known; it may be the provider's"
    places = " or ".join(map(str, beyond.places))
    return f"nothing that maps ports answers at {places}; if it is yours, switch UPnP or NAT-PMP on in its settings"


def _punch(findings: Findings, port: str) -> str:
    """Whether a port can be kept open through a NAT that cannot be asked."""
    nat = findings.nat
    alone = f"{_portmap(findings)} --nat punch:A+B {port}"
    command = _command(findings, "punch:A+B", port) if findings.good else alone
    if not isinstance(nat, NatType):
        return "find out whether a port can be kept open without asking: portmap doctor --stun A+B (two STUN servers)"
    if nat.mapping is not Behaviour.ENDPOINT_INDEPENDENT:
        return f"hole punching will not help: {nat.meaning}"
    if nat.filtering is Behaviour.ENDPOINT_INDEPENDENT:
        return f"keep a port open through it, with the STUN servers that you named: {command}"
    return f"{command} keeps a port open for some peers only: {nat.meaning}"


def _port(findings: Findings) -> str:
    """The mapping as the user would type it."""
    if not findings.rooted:
        return "PORT"
    request = findings.rooted[0]
    external = f"{request.external_port}:" if request.external_port else ""
    both = {it.protocol for it in findings.rooted if it.internal_port == request.internal_port} == set(Protocol)
    suffix = "/both" if both else "" if request.protocol is Protocol.TCP else "/udp"
    return f"{external}{request.internal_port}{suffix}"
