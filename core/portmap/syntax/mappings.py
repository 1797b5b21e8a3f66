"""What a user asks for: `[NAME=][EXT:]INT[@HOST][/tcp|udp|both]` to port requests. INT is a port, a range or
`[PORT=]follow`; HOST is another host of our network.

Pure. Every refusal names the fault and shows the form that would do. A number before `=follow` is a port, never a
name. What may be the spec of a gateway or publisher in a wrong place is not repeated, for it may hold a password.
"""

import re
from collections.abc import Iterable
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import TypeAlias

from portmap.errors import SpecError
from portmap.model import DEFAULT_LIFETIME, MAX_PORT, Key, PortRequest, Protocol, Scope, scope_of

_FORM = (
    "write [NAME=][EXT:]INT[@HOST][/tcp|udp|both], as in 25565, web=443:8443, 27015-27030/udp or 30303/both; "
    "8123@192.168.1.50 for another host; INT=follow, or just follow, where the application shall listen on whatever "
    "external port it is given"
)
_PROTOCOL = r"(?:/(?P<protocol>[^/]*))?"
_EXTERNAL = r"(?:(?P<external>[^:/=]*):)?"
_MAPPING = re.compile(rf"(?:(?P<name>[^=]*)=)?{_EXTERNAL}(?P<internal>[^:/=]*){_PROTOCOL}", re.ASCII)
_PORTS_AT = r"(?P<mapping>(?:[A-Za-z0-9_.-]*=)?(?:[0-9-]*:)?(?:[0-9-]+|(?:[0-9]+=)?follow))"
_HOST = re.compile(rf"{_PORTS_AT}@(?P<host>[^@/]*)(?P<rest>/.*)?", re.ASCII)
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*\.?", re.ASCII)  # RFC 1123 §2.1, RFC 2181 §11
_FOLLOW = re.compile(
    rf"(?:(?=[^=]*[A-Za-z])(?P<name>[^=:/]*)=)?{_EXTERNAL}(?:(?P<internal>[0-9]+)=)?follow{_PROTOCOL}", re.ASCII
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,23}", re.ASCII)  # fits, with our mark, in 32: mappers.md §3.3, 501
_PROTOCOLS = {
    None: (Protocol.TCP,),
    "tcp": (Protocol.TCP,),
    "udp": (Protocol.UDP,),
    "both": (Protocol.TCP, Protocol.UDP),
}
MappingLike: TypeAlias = str | int | PortRequest
"""A mapping as a caller of the library writes it."""

_NOMINAL = 1  # the internal port of `follow` alone: any gateway takes it, and a VPN's need not care
_SPEC = re.compile(r"\W*[^\W\d][\w.,\s-]*:")  # [NAME,]NAME:ARGUMENT in a wrong place: not repeated, for passwords
MAX_RANGE = 1000  # ports: a slip of the finger shall not ask a home router for its whole table


def to_requests(mapping: MappingLike, lifetime: int = DEFAULT_LIFETIME) -> tuple[PortRequest, ...]:
    """The requests that a mapping stands for: a text, a TCP port, or the request itself. Raises SpecError.

    `lifetime` is what a text or a port asks for.
    """
    if isinstance(mapping, PortRequest):
        return (mapping,)
    if isinstance(mapping, bool) or not isinstance(mapping, str | int):
        raise SpecError(f"{mapping!r} is no mapping: write a port, a text as in 'web=443:8443/tcp', or a PortRequest")
    return parse_mapping(str(mapping), lifetime)


def parse_mapping(text: str, lifetime: int = DEFAULT_LIFETIME) -> tuple[PortRequest, ...]:
    """The requests that a mapping's text stands for, port by port, TCP before UDP. Raises SpecError."""
    text, host = _without_host(text)
    if _SPEC.match(text) or "@" in text or "//" in text:
        raise SpecError(f"a mapping looks like the spec of a gateway or publisher (--nat, --publish): {_FORM}")
    follow = _FOLLOW.fullmatch(text)
    parts = follow or _MAPPING.fullmatch(text)
    if parts is None:
        raise SpecError(f"mapping {text!r} makes no sense: {_FORM}")
    protocols = _protocols(parts["protocol"], text)
    name = _name(parts["name"], text)
    ports = _followed(parts, text) if follow else _spans(parts["external"], parts["internal"], text)
    return tuple(
        PortRequest(protocol, internal, external, name, lifetime, len(protocols) > 1, follow is not None, host)
        for internal, external in ports
        for protocol in protocols
    )


def parse_host(text: str) -> str:
    """The host that a mapping leads to, as it is known from then on. Raises SpecError for what can be none.

    A name is looked up when the gateway is asked; whether an address is one of our network is known only then, too.
    """
    try:
        address = IPv4Address(text)
    except AddressValueError:
        if _is_ipv6(text):
            raise SpecError(f"host {text} is an IPv6 address, which needs no mapping: name the IPv4 address") from None
        if not _HOST_NAME.fullmatch(text) or text.replace(".", "").isdigit():
            raise SpecError(f"host {text!r} is no IPv4 address and no name: write 192.168.1.50 or nas.lan") from None
        return text.lower()
    if scope_of(address) is not Scope.PRIVATE and not address.is_loopback:
        raise SpecError(f"host {address} is not of a private network: a gateway forwards only to hosts of its own")
    return str(address)


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text.strip("[]"))
    except AddressValueError:
        return False
    return True


def _without_host(text: str) -> tuple[str, str]:
    """The mapping without its host, and that; empty where it names none. Raises SpecError."""
    parts = _HOST.fullmatch(text)
    return (parts["mapping"] + (parts["rest"] or ""), parse_host(parts["host"])) if parts else (text, "")


def parse_mappings(texts: Iterable[str], lifetime: int = DEFAULT_LIFETIME) -> tuple[PortRequest, ...]:
    """All requests. Raises SpecError, also for two that want the same port."""
    requests = tuple(request for text in texts for request in parse_mapping(text, lifetime))
    check_distinct(requests)
    return requests


class DistinctPorts:
    """The ports of one gateway that are asked for so far."""

    def __init__(self) -> None:
        self._internal: set[Key] = set()
        self._external: set[tuple[Protocol, int]] = set()

    def add(self, request: PortRequest) -> None:
        """Raise SpecError where another request is for that internal port, or wants that external port."""
        if request.key in self._internal:
            raise SpecError(f"{request.key} is asked for twice: drop one")
        self._internal.add(request.key)
        if request.follow and not request.external_port:
            return  # takes whatever port it is given
        wanted = (request.protocol, request.suggested_port)
        if wanted in self._external:
            raise SpecError(f"two mappings want the external port {request.protocol} {wanted[1]}: change one")
        self._external.add(wanted)


def check_distinct(requests: Iterable[PortRequest]) -> None:
    """Raise SpecError where two requests are for one internal port, or want one external port."""
    ports = DistinctPorts()
    for request in requests:
        ports.add(request)


def check_openable(requests: Iterable[PortRequest], *, ipv6_only: bool) -> tuple[PortRequest, ...]:
    """The requests. Raise SpecError for one that no IPv6 firewall can let through, where nothing else is asked."""
    checked = tuple(requests)
    for request in checked:
        if ipv6_only and not request.leads_here:
            raise SpecError(f"{request.key} leads to no port of this host, so it has no IPv6 pinhole: leave out -6")
    return checked


def _protocols(text: str | None, mapping: str) -> tuple[Protocol, ...]:
    protocols = _PROTOCOLS.get(None if text is None else text.lower())
    if protocols is None:
        raise SpecError(f"mapping {mapping!r} has the unknown protocol {text!r}: use tcp, udp or both")
    return protocols


def _name(text: str | None, mapping: str) -> str:
    if text is None:
        return ""
    if not _NAME.fullmatch(text):
        raise SpecError(f"mapping {mapping!r} has the unusable name {text!r}: use up to 24 letters, digits, _ . or -")
    return text


def _followed(parts: "re.Match[str]", mapping: str) -> list[tuple[int, int]]:
    """The one (internal, external port), where the external one is the gateway's choice."""
    if parts["external"] is not None:
        raise SpecError(
            f"mapping {mapping!r} names an external port, but with follow the gateway chooses it: leave it out"
        )
    internal = parts["internal"]
    return [(_NOMINAL if internal is None else _port(internal, mapping, least=0), 0)]


def _spans(external: str | None, internal: str, mapping: str) -> list[tuple[int, int]]:
    """Every (internal, external port) of a port or a range; external 0 where none is asked for."""
    inner = _span(internal, mapping)
    if external is None:
        return [(port, 0) for port in inner]
    outer = _span(external, mapping)
    if len(outer) not in (1, len(inner)):
        raise SpecError(f"mapping {mapping!r} has {len(outer)} external ports for {len(inner)}: make the ranges equal")
    if outer[0] + len(inner) - 1 > MAX_PORT:
        raise SpecError(
            f"mapping {mapping!r}: {len(inner)} ports from {outer[0]} on are out of range: end at {MAX_PORT}"
        )
    return [(port, outer[0] + count) for count, port in enumerate(inner)]


def _span(text: str, mapping: str) -> range:
    """A port, or FIRST-LAST."""
    first, dash, last = text.partition("-")
    low = _port(first, mapping)
    high = _port(last, mapping) if dash else low
    if high < low:
        raise SpecError(f"mapping {mapping!r}: the range {text} ends before it begins: write {last}-{first}")
    if high - low >= MAX_RANGE:
        raise SpecError(f"mapping {mapping!r}: the range {text} has {high - low + 1} ports: use {MAX_RANGE} at most")
    return range(low, high + 1)


def _port(text: str, mapping: str, least: int = 1) -> int:
    if not (text.isascii() and text.isdigit()):
        raise SpecError(f"mapping {mapping!r} has {text!r} where a port is due: {_FORM}")
    port = int(text.lstrip("0")[:6] or 0)
    if not least <= port <= MAX_PORT:
        raise SpecError(f"mapping {mapping!r}: port {text[:12]} is out of range: use {least} to {MAX_PORT}")
    return port
