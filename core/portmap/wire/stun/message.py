"""STUN messages (RFC 8489 §5): a binding request to bytes, bytes to what the server answered.

Law: pure; no socket, no clock, no server's name. A datagram is hostile until `read` has checked its type, length,
cookie, transaction id and attributes.
"""

import secrets
import struct
from dataclasses import dataclass, field
from typing import TypeAlias

from portmap.errors import Garbled
from portmap.model import Address
from portmap.wire.stun.attributes import Type, read_address, read_attributes, read_error

COOKIE = 0x2112A442  # §5
_HEADER = struct.Struct("!HHI12s")  # type, length of what follows, cookie, transaction id
_BINDING, _SUCCESS, _ERROR = 0x0001, 0x0101, 0x0111  # method 1 with the class's two bits: §5


@dataclass(frozen=True, slots=True)
class Reflection:
    """The address that the server saw our request come from."""

    address: Address


@dataclass(frozen=True, slots=True)
class Refusal:
    """The server says no: the code and its own words (§14.8)."""

    code: int
    text: str


Answer: TypeAlias = Reflection | Refusal


@dataclass(frozen=True, slots=True)
class BindingRequest:
    """From which address do you see me? The transaction id is all that proves an answer to be one."""

    transaction: bytes = field(default_factory=lambda: secrets.token_bytes(12))  # 96 bits, unguessable: §5

    def to_bytes(self) -> bytes:
        """The request on the wire: a header and nothing else."""
        return _HEADER.pack(_BINDING, 0, COOKIE, self.transaction)

    def read(self, datagram: bytes) -> Answer:
        """The datagram as an answer to this request. Raises Garbled if it is none, or none that may be used."""
        kind = self._read_header(datagram)
        attributes = read_attributes(datagram, _HEADER.size)
        if kind == _ERROR:
            return Refusal(*read_error(attributes.get(Type.ERROR_CODE, b"")))
        if (hidden := attributes.get(Type.XOR_MAPPED_ADDRESS)) is not None:  # so that no NAT under way rewrites it
            return Reflection(read_address(hidden, COOKIE.to_bytes(4, "big") + self.transaction))
        if (plain := attributes.get(Type.MAPPED_ADDRESS)) is not None:  # a server of RFC 3489
            return Reflection(read_address(plain))
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
