"""STUN messages (RFC 8489 §5): a binding request to bytes, bytes to what the server answered.

Pure. A datagram is hostile until `read` has checked its type, length, cookie, transaction id and attributes.
"""

import struct
from dataclasses import dataclass, field
from ipaddress import ip_address
from os import urandom
from typing import TypeAlias

from portmap.errors import Garbled
from portmap.model import Address, scope_of
from portmap.wire.stun.attributes import Type, read_attributes, read_endpoint, read_error, to_attribute

COOKIE = 0x2112A442  # §5
_HEADER = struct.Struct("!HHI12s")  # type, length of what follows, cookie, transaction id
_BINDING, _SUCCESS, _ERROR = 0x0001, 0x0101, 0x0111  # method 1 with the class's two bits: §5


Endpoint: TypeAlias = tuple[Address, int]

_CHANGE_IP, _CHANGE_PORT = 0x04, 0x02  # RFC 5780 §7.2


@dataclass(frozen=True, slots=True)
class Reflection:
    """The address and port that the server saw our request come from.

    `other`: the second address and port that the server states, where it does (OTHER-ADDRESS, RFC 5780 §7.4).
    """

    address: Address
    port: int = 0
    other: Endpoint | None = None

    @property
    def endpoint(self) -> Endpoint:
        """Address and port."""
        return self.address, self.port

    def is_of(self, version: int) -> bool:
        """Whether it is an endpoint that a socket of this IP version can have."""
        return self.address.version == version and self.port != 0

    def second_of(self, server: str) -> Endpoint | None:
        """The second address and port of the `server` that was asked at this address, where they may be one's.

        A second address is another one, of the same IP version and scope: a server on the internet has us ask no host
        of a private network.
        """
        asked = ip_address(server)
        if self.other is None or self.other[0] == asked or self.other[0].version != asked.version or not self.other[1]:
            return None
        return self.other if scope_of(self.other[0]) is scope_of(asked) else None


@dataclass(frozen=True, slots=True)
class Refusal:
    """The server refuses: its code and its own words (§14.8)."""

    code: int
    text: str


Answer: TypeAlias = Reflection | Refusal


@dataclass(frozen=True, slots=True)
class BindingRequest:
    """From which address and port does the server see me? The transaction id alone proves an answer to be one.

    `change_ip`, `change_port`: the answer is to come from the server's other address, other port (RFC 5780 §7.2).
    `response_port`: it is to go to this port of ours instead of the one that asks (RFC 5780 §7.5).
    """

    transaction: bytes = field(default_factory=lambda: urandom(12))  # 96 bits, unguessable: §5
    change_ip: bool = False
    change_port: bool = False
    response_port: int | None = None

    def to_bytes(self) -> bytes:
        """The request on the wire."""
        attributes = b""
        if self.change_ip or self.change_port:
            flags = _CHANGE_IP * self.change_ip + _CHANGE_PORT * self.change_port
            attributes += to_attribute(Type.CHANGE_REQUEST, flags.to_bytes(4, "big"))
        if self.response_port is not None:
            attributes += to_attribute(Type.RESPONSE_PORT, self.response_port.to_bytes(2, "big"))
        return _HEADER.pack(_BINDING, len(attributes), COOKIE, self.transaction) + attributes

    def read(self, datagram: bytes) -> Answer:
        """The datagram as an answer to this request. Raises Garbled if it is none, or none that may be used."""
        kind = self._read_header(datagram)
        attributes = read_attributes(datagram, _HEADER.size)
        if kind == _ERROR:
            return Refusal(*read_error(attributes.get(Type.ERROR_CODE, b"")))
        other = _read_other(attributes.get(Type.OTHER_ADDRESS))
        if (hidden := attributes.get(Type.XOR_MAPPED_ADDRESS)) is not None:  # so that no NAT under way rewrites it
            return Reflection(*read_endpoint(hidden, COOKIE.to_bytes(4, "big") + self.transaction), other)
        if (plain := attributes.get(Type.MAPPED_ADDRESS)) is not None:  # a server of RFC 3489
            return Reflection(*read_endpoint(plain), other)
        raise Garbled("the answer has no address")

    def _read_header(self, datagram: bytes) -> int:
        """The message's type, which is that of an answer."""
        if len(datagram) < _HEADER.size:
            raise Garbled(f"the answer has {len(datagram)} bytes, fewer than the {_HEADER.size} of a header")
        kind, length, cookie, transaction = _HEADER.unpack_from(datagram)
        if kind not in (_SUCCESS, _ERROR):
            raise Garbled(f"a message of type {kind:#06x} is no answer to a binding request")
        if length % 4 or length != len(datagram) - _HEADER.size:
            raise Garbled(f"the answer claims {length} bytes behind its header, which is not what it has")
        if (cookie, transaction) != (COOKIE, self.transaction):  # RFC 3489 servers echo both as one
            raise Garbled("the answer is to another transaction")
        return int(kind)


def is_stun(datagram: bytes) -> bool:
    """Whether it is a STUN message by its head: the cookie in its place (§5)."""
    return len(datagram) >= _HEADER.size and datagram[4:8] == COOKIE.to_bytes(4, "big")


def _read_other(value: bytes | None) -> Endpoint | None:
    """OTHER-ADDRESS, which need not be understood: one that makes no sense is none, and costs nothing else."""
    try:
        return None if value is None else read_endpoint(value)
    except Garbled:
        return None
