"""The findings as lines for people: a section, a mark (yes, no, unknown, note), a sentence. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from portmap.doctor.findings import BackendAnswer, Beyond, Findings, HostNetwork, TrialResult
from portmap.errors import Garbled, GatewayTimeout, NoGateway, PluginError, PortmapError, Refused
from portmap.model import PortRequest, Scope
from portmap.network.listening_sockets import ListeningSocket
from portmap.reachability.nat_type import NatType
from portmap.reachability.verdict import Reachability, Verdict


class Mark(Enum):
    """Whether a line is good news."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class ReportLine:
    """One line."""

    section: str
    mark: Mark
    text: str


_SCOPE = {
    Scope.PUBLIC: "public",
    Scope.PRIVATE: "private",
    Scope.CGNAT: "shared by the provider's customers",
    Scope.RESERVED: "reserved",
    Scope.UNKNOWN: "unknown",
}


def report_lines(findings: Findings) -> list[ReportLine]:
    """Every line, in the order in which it is printed."""
    return [
        _network(findings),
        *(line for answer in findings.answers for line in _protocol(answer)),
        *_addresses(findings),
        *_beyond(findings.beyond),
        *_nat(findings.nat),
        *(line for request in findings.rooted for line in _mapping(request, findings)),
        *(_attempt(attempt) for attempt in findings.attempts),
        *_local(findings),
        *(_reached(found) for found in findings.reached),
    ]


def _network(findings: Findings) -> ReportLine:
    network = findings.network
    outward = _outward(network)
    ignored = f" ({', '.join(network.ignored)} ignored)" if network.ignored else ""
    bridged = "; a container's bridge" if network.bridged else ""
    we = f", we are {network.us}" if network.us else ""
    six = f", IPv6 {network.ipv6}" if network.ipv6 else ""
    if not network.gateways:
        return ReportLine("Network", Mark.NO, f"no default gateway{we}{six}{bridged}{outward}{ignored}")
    gateways = " and ".join(map(str, network.gateways))
    word = "default gateway" if len(network.gateways) == 1 else "default gateways"
    via = f" via {network.interface}" if network.interface else ""
    mark = Mark.NOTE if network.bridged or outward or len(network.gateways) > 1 else Mark.YES
    return ReportLine("Network", mark, f"{word} {gateways}{via}{we}{six}{bridged}{outward}{ignored}")


def _outward(network: HostNetwork) -> str:
    """That traffic leaves elsewhere than by the default gateway, as with a VPN."""
    if network.outward in (None, network.us):
        return ""
    via = f" ({network.outward_interface})" if network.outward_interface else ""
    return f"; traffic leaves from {network.outward}{via}"


def _protocol(answer: BackendAnswer) -> Iterator[ReportLine]:
    told = f"  ({'; '.join(answer.evidence[:3])})" if answer.evidence else ""
    compared = "" if answer.chosen else "  only to compare"
    if answer.error is None:
        yield ReportLine("Protocols", Mark.YES, f"{answer.gateway}  {answer.ms} ms{told}{compared}")
    else:
        what = _error(answer.error)
        words = str(answer.error).removeprefix(answer.gateway).lstrip()
        yield ReportLine("Protocols", Mark.NO, f"{answer.gateway}  {what}: {words}{told}{compared}")


def _error(error: PortmapError) -> str:
    match error:
        case NoGateway():
            return "off"
        case GatewayTimeout():
            return "no answer"
        case Refused():
            return "refuses"
        case Garbled():
            return "garbled"
        case PluginError():
            return "plugin broken"
    return "failed"


def _addresses(findings: Findings) -> Iterator[ReportLine]:
    for address, scope in {answer.address: answer.scope for answer in findings.good}.items():
        says = " and ".join(answer.protocol for answer in findings.good if answer.address == address)
        mark = Mark.YES if scope is Scope.PUBLIC else Mark.NO
        yield ReportLine("Address", mark, f"the router says {address}  {_SCOPE[scope]}  ({says})")
    outside = findings.outside
    if outside is None:
        return
    if outside.error is not None:
        yield ReportLine("Address", Mark.UNKNOWN, f"no answer from outside: {outside.error}")
        return
    same = outside.address in {answer.address for answer in findings.good}
    mark = Mark.YES if same else Mark.NO
    yield ReportLine("Address", mark, f"the world sees {outside.address}  {'the same' if same else 'another one'}")


def _beyond(beyond: Beyond | None) -> Iterator[ReportLine]:
    """The gateway beyond the router, where that one's address is not public."""
    if beyond is None:
        return
    places = " or ".join(map(str, beyond.places))
    answer = beyond.best
    if answer is not None:
        yield ReportLine("Beyond", Mark.YES, f"{answer.gateway} says {answer.address}  {_SCOPE[answer.scope]}")
    elif beyond.places:
        yield ReportLine("Beyond", Mark.NO, f"nothing that maps ports answers at {places}")
    else:
        yield ReportLine("Beyond", Mark.UNKNOWN, "the router beyond makes itself not known")


def _nat(nat: NatType | str | None) -> Iterator[ReportLine]:
    """How the NAT treats UDP, as two STUN servers saw it; the address is not part of it."""
    if nat is None:
        return
    if isinstance(nat, str):
        yield ReportLine("NAT", Mark.UNKNOWN, f"its type could not be measured: {nat}")
        return
    loops = {True: "loops back", False: "does not loop back", None: "unknown whether it loops back"}[nat.loops_back]
    if nat.translated:
        yield ReportLine("NAT", Mark.NOTE, f"mapping {nat.mapping}, filtering {nat.filtering}, {loops}")
    yield ReportLine("NAT", Mark.NOTE, nat.meaning)


def _mapping(request: PortRequest, findings: Findings) -> Iterator[ReportLine]:
    port = f"{request.suggested_port}/{request.protocol.lower()}"
    holder = findings.holder(request)
    if holder:
        yield ReportLine("Mapping", Mark.YES, f"{holder} holds {holder.external_port} for {port}")
    tables = [answer for answer in findings.good if answer.table is not None]
    for answer in tables:
        row = answer.row(request.protocol, request.suggested_port)
        if row is None:
            yield ReportLine("Mapping", Mark.NOTE, f"{port} is free on the router  ({answer.protocol})")
        elif answer.answers(row, request):
            ours = "ours" if row.ours else "made by another program here"
            yield ReportLine("Mapping", Mark.YES, f"{port} leads to us  ({ours}, {row.description!r})")
        else:
            yield ReportLine("Mapping", Mark.NO, f"{port} is held by {answer.whose(row)}")
    if not (tables or holder) and findings.good:
        names = " and ".join(answer.protocol for answer in findings.good)
        yield ReportLine(
            "Mapping", Mark.UNKNOWN, f"unknown whether {port} is taken  ({names} cannot list, or was too slow)"
        )


def _attempt(attempt: TrialResult) -> ReportLine:
    port = f"{attempt.request.suggested_port}/{attempt.request.protocol.lower()}"
    if attempt.skipped:
        return ReportLine("Mapping", Mark.NOTE, f"{port} was not tried: {attempt.skipped}")
    if attempt.error:
        return ReportLine("Mapping", Mark.NO, f"tried {port}: {attempt.error}")
    after = (
        f"could not be removed, and ends in {attempt.lifetime} s: {attempt.left}" if attempt.left else "removed again"
    )
    mark = Mark.YES if attempt.external_port == attempt.request.suggested_port else Mark.NOTE
    where = f"{attempt.address}:" if attempt.address else ""
    return ReportLine(
        "Mapping", mark, f"tried {port}: got {where}{attempt.external_port} for {attempt.lifetime} s, {after}"
    )


def _reached(found: Reachability) -> ReportLine:
    """What a responder outside said of one port."""
    mark = {Verdict.OPEN: Mark.YES, Verdict.CLOSED: Mark.NO, Verdict.UNKNOWN: Mark.UNKNOWN}[found.verdict]
    return ReportLine(
        "Outside", mark, f"{found.external_port}/{found.protocol.lower()} {found.verdict}: {found.reason}"
    )


def _local(findings: Findings) -> Iterator[ReportLine]:
    for request in findings.rooted:
        port = f"{request.internal_port}/{request.protocol.lower()}"
        if findings.listening is None:
            yield ReportLine("Local", Mark.UNKNOWN, f"this system does not tell whether a program listens on {port}")
        elif sockets := findings.sockets(request):
            yield from (_socket(socket) for socket in sockets)
        else:
            yield ReportLine("Local", Mark.NO, f"no program listens on {port}")
    if findings.firewall:
        mark = {True: Mark.NO, False: Mark.YES, None: Mark.UNKNOWN}[findings.firewall.shut]
        yield ReportLine("Local", mark, f"host firewall {findings.firewall.reason}")


def _socket(socket: ListeningSocket) -> ReportLine:
    mark = Mark.NO if socket.address.is_loopback else Mark.YES
    at = f"[{socket.address}]" if socket.address.version == 6 else str(socket.address)
    who = socket.program or "a program"
    return ReportLine("Local", mark, f"{who} listens on {at}:{socket.port}/{socket.protocol.lower()}")
