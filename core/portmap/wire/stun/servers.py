"""STUN servers as users write them: one, or several with a plus between them. Pure; look_up() asks the resolver.

`192.0.2.1`, `stun.example.org:3478`, `[2001:db8::1]:3478+b.example.org`. A plus, because a comma parts backends
(`pcp,upnp`) and can be in no host's name either.
"""

import re
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from portmap.errors import NoGateway, SpecError
from portmap.model import MAX_PORT
from portmap.wire.exchange import Peer

PORT = 3478  # RFC 8489 §18.6
MOST = 8  # servers: each is asked on a thread of its own
_TRY = "write stun:stun.example.org or stun:stun.example.org:3478"

_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")  # RFC 1123 §2.1, RFC 1035 §2.3.1
_LONGEST = 253  # RFC 1035 §2.3.4: 255 octets on the wire
_NUMBER = re.compile(
    r"[0-9]+|0[xX][0-9A-Fa-f]*"
)  # such a last label makes it an address: WHATWG URL, "ends in a number"

_BROADCAST = IPv4Address("255.255.255.255")


@dataclass(frozen=True, slots=True)
class Server:
    """`host` is a name or an IP literal, without brackets."""

    host: str
    port: int = PORT

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_servers(argument: str) -> tuple[Server, ...]:
    """The servers, each once. Raises SpecError for what is none, without repeating it."""
    texts = argument.split("+")
    if len(texts) > MOST:
        raise SpecError(f"stun: {len(texts)} servers are more than it takes: give {MOST} at the most")
    return tuple(dict.fromkeys(map(_server, texts)))


def look_up(server: Server) -> list[Peer]:
    """Where the server is: its first IPv4 address, then its first IPv6 address. Raises NoGateway."""
    try:
        found = socket.getaddrinfo(server.host, server.port, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise NoGateway(
            f"{server.host} has no address ({why}): is it spelt right, and is there a name server?"
        ) from error
    peers = {family: (str(at[0]), int(at[1])) for family, _, _, _, at in reversed(found)}
    return [peers[family] for family in (socket.AF_INET, socket.AF_INET6) if family in peers]


def _server(text: str) -> Server:
    host, colon, port = _split(text)
    return Server(_host(host), _port(port) if colon else PORT)


def _split(text: str) -> tuple[str, str, str]:
    """Host, colon, port; brackets taken off."""
    if not text.startswith("["):
        if text.count(":") > 1:
            raise SpecError(
                "stun: the server has too many colons: write an IPv6 address in brackets, as in stun:[::1]:3478"
            )
        return text.partition(":")
    host, bracket, rest = text[1:].partition("]")
    if not bracket or (rest and not rest.startswith(":")) or not _is_ipv6(host):
        raise SpecError("stun: this is no IPv6 address in brackets: write stun:[::1]:3478")
    return host, rest[:1], rest[1:]


def _host(host: str) -> str:
    """The host, if there can be a server there."""
    address = _literal(host)
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    if address is None and not _is_name(host):
        what = "this is no server's name" if host else "the server's name is missing"
        raise SpecError(f"stun: {what}: {_TRY}")
    if address is not None and (address.is_unspecified or address.is_multicast or address == _BROADCAST):
        raise SpecError(f"stun: {address} is no server's address: {_TRY}")
    return host


def _port(port: str) -> int:
    if not (port.isascii() and port.isdecimal() and len(port) <= 5 and 1 <= int(port) <= MAX_PORT):
        raise SpecError(f"stun: the server has a port that is not valid: write 1 to {MAX_PORT}, or none for {PORT}")
    return int(port)


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _is_ipv6(host: str) -> bool:
    return isinstance(_literal(host), IPv6Address)


def _is_name(host: str) -> bool:
    """Whether it can be a host's name: letters, digits, hyphens. A single label, such as `localhost`, will do."""
    name = host.removesuffix(".")
    labels = name.split(".")
    return len(name) <= _LONGEST and all(map(_LABEL.fullmatch, labels)) and not _NUMBER.fullmatch(labels[-1])
