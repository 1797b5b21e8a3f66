"""Findings for a report that can be shown in public: built anew, of typed and masked values. Pure.

Rules:
- An allow-list: only what a function here passes on gets into the report; a field that is not named here does not.
- No free text passes: no error message, description, path, host, program, interface or mapping name.
- What finds the fault passes: private addresses, ports, numbers, the class and code of an error, the vendor.
- Of a public or shared IPv4 address two numbers pass, of a global IPv6 address 32 bits, of others the first group.
"""

import re
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address

from portmap import errors
from portmap.doctor.findings import (
    BackendAnswer,
    Beyond,
    Findings,
    HostFirewall,
    HostNetwork,
    PortHolder,
    TrialResult,
)
from portmap.doctor.rules.vendors import vendor_words
from portmap.errors import NoPublicAddress, PortmapError, Refused, error_name
from portmap.model import Address, Listed, PortRequest, Scope, scope_of
from portmap.network.listening_sockets import ListeningSocket
from portmap.reachability.nat_type import NatType
from portmap.reachability.verdict import Reachability

HIDDEN = "(hidden)"
OTHER_BACKEND = "another backend"
_IGD_VERSION = re.compile(r"\(IGD:[12]\)")
_INTERFACES = ("eth", "en", "wl", "ww", "ppp", "tun", "tap", "utun", "wg", "tailscale", "docker", "br", "veth", "bond")
_FIREWALL = {True: "keeps the port shut", False: "lets everything in", None: "not known"}


class MaskedIPv4(IPv4Address):
    """An address that shows only its first two numbers, unless it is private; otherwise the same value."""

    __slots__ = ()

    def __str__(self) -> str:
        text = super().__str__()
        if scope_of(IPv4Address(int(self))) not in (Scope.PUBLIC, Scope.CGNAT):
            return text
        first, second, *_ = text.split(".")
        return f"{first}.{second}.x.x"


class MaskedIPv6(IPv6Address):
    """An address that shows the provider's part if it is global, else its first group; no zone."""

    __slots__ = ()

    def __str__(self) -> str:
        plain = IPv6Address(int(self))
        if plain.is_loopback or plain.is_unspecified:
            return str(plain)
        groups = plain.exploded.split(":")
        keep = 2 if scope_of(plain) is Scope.PUBLIC else 1
        return ":".join(group.lstrip("0") or "0" for group in groups[:keep]) + ":x"


def masked(address: Address | None) -> Address | None:
    """The same address, which shows less of itself."""
    match address:
        case None:
            return None
        case IPv4Address():
            return MaskedIPv4(int(address))
    return MaskedIPv6(int(address))


def redacted_findings(findings: Findings, known: Collection[str]) -> Findings:
    """The findings as they may be shown; `known` are the backends whose names tell nothing of the user."""
    return Findings(
        network=_network(findings.network),
        answers=tuple(_answer(answer, known) for answer in findings.answers),
        requests=tuple(map(_request, findings.requests)),
        listening=None if findings.listening is None else tuple(map(_socket, findings.listening)),
        firewall=findings.firewall and HostFirewall(findings.firewall.shut, _FIREWALL[findings.firewall.shut]),
        outside=findings.outside and _answer(findings.outside, known),
        nat=_nat(findings.nat),
        reached=tuple(map(_reached, findings.reached)),
        attempts=tuple(_attempt(attempt, findings, known) for attempt in findings.attempts),
        beyond=findings.beyond and _beyond(findings.beyond, known),
        holders=tuple(PortHolder(it.pid, it.key, it.external_port) for it in findings.holders),
    )


def _beyond(beyond: Beyond, known: Collection[str]) -> Beyond:
    places = tuple(MaskedIPv4(int(place)) for place in beyond.places)
    return Beyond(places, tuple(_answer(answer, known) for answer in beyond.answers))


def _reached(found: Reachability) -> Reachability:
    """The verdict, and what proved it or closes the port, both in words of ours; the reason may name a program."""
    return Reachability(
        found.protocol,
        found.internal_port,
        found.external_port,
        masked(found.external_ip),
        found.verdict,
        HIDDEN,
        found.how,
        found.by,
        found.ms,
    )


def _nat(nat: NatType | str | None) -> NatType | str | None:
    """The kind of NAT tells nothing of the user; why it could not be measured may name a server."""
    if isinstance(nat, NatType):
        external = masked(nat.external[0]) or nat.external[0], nat.external[1]
        return NatType(external, nat.translated, nat.mapping, nat.filtering, nat.loops_back)
    return nat and HIDDEN


def _network(network: HostNetwork) -> HostNetwork:
    return HostNetwork(
        gateways=tuple(MaskedIPv4(int(gateway)) for gateway in network.gateways),
        interface=_interface(network.interface),
        us=_masked4(network.us),
        ignored=tuple(dict.fromkeys(map(_interface, network.ignored))),
        bridged=network.bridged,
        outward=_masked4(network.outward),
        outward_interface=_interface(network.outward_interface),
        ipv6=None if network.ipv6 is None else MaskedIPv6(int(network.ipv6)),
        chosen=_interface(network.chosen),
    )


def _interface(name: str) -> str:
    """The kind of an interface, as far as the beginning of its name tells; enx001122334455 has the MAC in it."""
    if not name:
        return ""
    return next((f"{kind}*" for kind in _INTERFACES if name.startswith(kind)), HIDDEN)


def _answer(answer: BackendAnswer, known: Collection[str]) -> BackendAnswer:
    return BackendAnswer(
        name=answer.backend if answer.backend in known else OTHER_BACKEND,
        gateway=_gateway(answer, known),
        ms=answer.ms,
        address=masked(answer.address),
        error=_error(answer.error),
        evidence=vendor_words((answer.gateway, *answer.evidence)),
        us=_masked4(answer.us),
        table=None if answer.table is None else tuple(map(_row, answer.table)),
        chosen=answer.chosen,
        placed=answer.placed,
        host=_masked4(answer.host),
    )


def _gateway(answer: BackendAnswer, known: Collection[str]) -> str:
    """PROTOCOL HOST (IGD:VERSION), as far as the name of a backend of ours has them."""
    if answer.backend not in known:
        return OTHER_BACKEND
    version = _IGD_VERSION.search(answer.gateway)
    parts = (answer.protocol, str(_masked4(answer.host) or ""), version[0] if version else "")
    return " ".join(filter(None, parts))


def _row(row: Listed) -> Listed:
    return Listed(
        row.protocol,
        row.external_port,
        _client(row.client),
        row.internal_port,
        row.lifetime,
        "" if row.ours or not row.description else HIDDEN,
        row.ours,
    )


def _client(text: str) -> str:
    """A LAN address that the gateway lists; anything else is hidden."""
    try:
        return str(MaskedIPv4(text))
    except ValueError:
        return HIDDEN


def _request(request: PortRequest) -> PortRequest:
    return PortRequest(
        request.protocol,
        request.internal_port,
        request.external_port,
        lifetime=request.lifetime,
        paired=request.paired,
        follow=request.follow,
    )


def _socket(socket: ListeningSocket) -> ListeningSocket:
    return ListeningSocket(socket.protocol, masked(socket.address) or socket.address, socket.port)


def _attempt(attempt: TrialResult, findings: Findings, known: Collection[str]) -> TrialResult:
    asked = next((answer for answer in findings.answers if answer.gateway == attempt.gateway), None)
    return TrialResult(
        _gateway(asked, known) if asked else "the gateway",
        _request(attempt.request),
        attempt.external_port,
        attempt.lifetime,
        masked(attempt.address),
        _error(attempt.error),
        "the gateway kept it" if attempt.left else "",
        "it is open already" if attempt.skipped else "",
    )


def _error(error: PortmapError | None) -> PortmapError | None:
    """An error of the same class and code, without its words."""
    name = error_name(error)
    if error is None or not name:
        return None if error is None else PortmapError("PortmapError")
    kind = getattr(errors, name)
    code = error.code if isinstance(error, Refused) else 0
    text = f"{name}, code {code}" if code else name
    if isinstance(error, NoPublicAddress):
        return NoPublicAddress(text, code=code, external_ip=masked(error.external_ip))
    remade: PortmapError = kind(text, code=code) if isinstance(error, Refused) else kind(text)
    return remade


def _masked4(address: IPv4Address | None) -> IPv4Address | None:
    return None if address is None else MaskedIPv4(int(address))
