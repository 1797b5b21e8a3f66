"""What a user asks for: `[NAME=][EXT:]INT[/tcp|udp|both]` to port requests.

Law: pure. Every refusal names the fault and shows the form that would do.
"""

import re
from collections.abc import Iterable

from portmap.errors import SpecError
from portmap.model import DEFAULT_LIFETIME, MAX_PORT, PortRequest, Protocol

_FORM = "write [NAME=][EXT:]INT[/tcp|udp|both], as in 25565, web=443:8443 or 30303/both"
_MAPPING = re.compile(
    r"(?:(?P<name>[^=]*)=)?(?:(?P<external>[^:/=]*):)?(?P<internal>[^:/=]*)(?:/(?P<protocol>[^/]*))?", re.ASCII
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,23}", re.ASCII)  # fits, with our mark, in 32: mappers.md §3.3, 501
_PROTOCOLS = {
    None: (Protocol.TCP,),
    "tcp": (Protocol.TCP,),
    "udp": (Protocol.UDP,),
    "both": (Protocol.TCP, Protocol.UDP),
}


def requests_of(mapping: str | PortRequest, lifetime: int = DEFAULT_LIFETIME) -> tuple[PortRequest, ...]:
    """A mapping as a text or as the request itself: `lifetime` is what a text asks for. Raises SpecError."""
    return (mapping,) if isinstance(mapping, PortRequest) else parse_mapping(mapping, lifetime)


def parse_mapping(text: str, lifetime: int = DEFAULT_LIFETIME) -> tuple[PortRequest, ...]:
    """The one or two requests that a mapping's text stands for. Raises SpecError."""
    parts = _MAPPING.fullmatch(text)
    if parts is None:
        raise SpecError(f"mapping {text!r} makes no sense: {_FORM}")
    protocol = parts["protocol"]
    protocols = _PROTOCOLS.get(protocol.lower() if protocol is not None else None)
    if protocols is None:
        raise SpecError(f"mapping {text!r} has the unknown protocol {protocol!r}: use tcp, udp or both")
    name = _name(parts["name"], text)
    internal = _port(parts["internal"], text)
    external = _port(parts["external"], text) if parts["external"] is not None else 0
    return tuple(PortRequest(each, internal, external, name, lifetime) for each in protocols)


def parse_mappings(texts: Iterable[str], lifetime: int = DEFAULT_LIFETIME) -> tuple[PortRequest, ...]:
    """All requests. Raises SpecError, also for two that want the same port."""
    requests = tuple(request for text in texts for request in parse_mapping(text, lifetime))
    check_distinct(requests)
    return requests


def check_distinct(requests: Iterable[PortRequest]) -> None:
    """Raise SpecError where two requests are for one internal port, or want one external port."""
    internal: set[tuple[Protocol, int]] = set()
    external: set[tuple[Protocol, int]] = set()
    for request in requests:
        if request.key in internal:
            raise SpecError(f"{request.protocol} {request.internal_port} is asked for twice: drop one")
        wanted = (request.protocol, request.external_port or request.internal_port)
        if wanted in external:
            raise SpecError(f"two mappings want the external port {request.protocol} {wanted[1]}: change one")
        internal.add(request.key)
        external.add(wanted)


def _name(text: str | None, mapping: str) -> str:
    if text is None:
        return ""
    if not _NAME.fullmatch(text):
        raise SpecError(f"mapping {mapping!r} has the unusable name {text!r}: use up to 24 letters, digits, _ . or -")
    return text


def _port(text: str, mapping: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise SpecError(f"mapping {mapping!r} has {text!r} where a port is due: {_FORM}")
    port = int(text.lstrip("0")[:6] or 0)
    if not 1 <= port <= MAX_PORT:
        raise SpecError(f"mapping {mapping!r}: port {text[:12]} is out of range: use 1 to {MAX_PORT}")
    return port
