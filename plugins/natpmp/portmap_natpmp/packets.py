"""NAT-PMP packets (RFC 6886 §3): requests to bytes, bytes to answers. Pure.

A datagram is hostile until `read` has checked its version, opcode, length and echoed port. The library's classes lay
the packets out and check nothing: they only see bytes that are checked.
"""

import struct
import warnings
from ipaddress import IPv4Address
from typing import ClassVar, NamedTuple, TypeAlias

from portmap.errors import Garbled
from portmap.model import Protocol

with warnings.catch_warnings():
    # py-natpmp 0.2.5 writes "\." in a plain string. Python says so whenever it compiles the file, that is on the
    # first import after an installation, as DeprecationWarning (3.11) or SyntaxWarning; nothing depends on it.
    for category in (DeprecationWarning, SyntaxWarning):
        warnings.simplefilter("ignore", category)
    import natpmp

PORT: int = natpmp.NATPMP_PORT
UNSUPPORTED_VERSION: int = natpmp.NATPMP_RESULT_UNSUPPORTED_VERSION

_OPCODES: dict[Protocol, int] = {
    Protocol.UDP: natpmp.NATPMP_PROTOCOL_UDP,
    Protocol.TCP: natpmp.NATPMP_PROTOCOL_TCP,
}
_VERSION = 0
_ANSWER = 128  # added to the request's opcode: RFC 6886 §3.5
_HEADER = struct.Struct("!BBHI")  # version, opcode, result, seconds since the start of the epoch: RFC 6886 §3.2
_ADDRESS_LENGTH = 12  # RFC 6886 §3.2
_MAPPING_LENGTH = 16  # RFC 6886 §3.3


class AddressAnswer(NamedTuple):
    """The gateway's external address and its `epoch`: for how many seconds it has kept its state."""

    epoch: int
    external_ip: IPv4Address


class MappingAnswer(NamedTuple):
    """What became of a mapping: the external port and the granted seconds, both 0 when it was deleted."""

    epoch: int
    external_port: int
    lifetime: int


class Refusal(NamedTuple):
    """A result code other than 0 (RFC 6886 §3.5). `epoch` is None where the packet has none, or has it elsewhere."""

    epoch: int | None
    result: int


Answer: TypeAlias = AddressAnswer | MappingAnswer


class AddressRequest:
    """What is your external address? RFC 6886 §3.2."""

    opcode: ClassVar[int] = 0

    def to_bytes(self) -> bytes:
        """The request on the wire: 2 bytes."""
        return bytes(natpmp.PublicAddressRequest().toBytes())

    def read(self, datagram: bytes) -> AddressAnswer | Refusal:
        """The datagram as an answer to this request. Raises Garbled if it is none."""
        if refusal := _read_header(datagram, self.opcode, _ADDRESS_LENGTH):
            return refusal
        response = natpmp.PublicAddressResponse(datagram)
        return AddressAnswer(response.sec_since_epoch, IPv4Address(response.ip_int))


class MappingRequest(NamedTuple):
    """Open a port or extend the lease; with external port 0 and lifetime 0 shut it. RFC 6886 §3.3 and §3.4.

    Never internal port 0 with lifetime 0: that would shut all our host's ports, other programs' too.
    """

    protocol: Protocol
    internal_port: int
    external_port: int = 0
    lifetime: int = 0

    @property
    def opcode(self) -> int:
        """1 maps UDP, 2 maps TCP."""
        return _OPCODES[self.protocol]

    def to_bytes(self) -> bytes:
        """The request on the wire: 12 bytes."""
        request = natpmp.PortMapRequest(self.opcode, self.internal_port, self.external_port, self.lifetime)
        return bytes(request.toBytes())

    def read(self, datagram: bytes) -> MappingAnswer | Refusal:
        """The datagram as an answer to this request. Raises Garbled if it is none."""
        if refusal := _read_header(datagram, self.opcode, _MAPPING_LENGTH):
            return refusal
        response = natpmp.PortMapResponse(datagram)
        if response.private_port != self.internal_port:
            raise Garbled(f"the answer is for internal port {response.private_port}, not {self.internal_port}")
        return MappingAnswer(response.sec_since_epoch, response.public_port, response.lifetime)


Request: TypeAlias = AddressRequest | MappingRequest


def error_text(result: int) -> str:
    """The library's words for a result code, on one line and without the full stop."""
    return " ".join(natpmp.error_str(result).split()).rstrip(".")


def _read_header(datagram: bytes, opcode: int, length: int) -> Refusal | None:
    """None if this is a good answer to the opcode, at least that long. Raises Garbled if it is no answer to it at all.

    A refusal may end after its header, and what follows there is not read: it may be zero or laid out otherwise. One
    of another length is laid out otherwise from the start and has no epoch: NATPMP-Suite refuses a mapping with the
    12 bytes of the request. Longer answers are accepted: other clients do not look at the rest, either.
    """
    if len(datagram) < _HEADER.size:
        raise Garbled(f"the answer has {len(datagram)} bytes, fewer than the {_HEADER.size} of a header")
    version, answered, result, epoch = _HEADER.unpack_from(datagram)
    if result == UNSUPPORTED_VERSION and (version != _VERSION or answered == 0):
        # The one answer that need not be of our version: a PCP gateway says so in its own (RFC 6887 §9 and
        # appendix A), and RFC 6886 §3.5 draws it with opcode 0. It is no echo: a request has zeros there.
        return Refusal(epoch if version == _VERSION else None, result)
    if version != _VERSION:
        raise Garbled(f"the answer is of version {version}, not {_VERSION}")
    if answered != _ANSWER + opcode:
        raise Garbled(f"the answer has opcode {answered}, not {_ANSWER + opcode}")
    if result:
        return Refusal(epoch if len(datagram) == _HEADER.size or len(datagram) >= length else None, result)
    if len(datagram) < length:
        raise Garbled(f"the answer has {len(datagram)} bytes, fewer than {length}")
    return None
