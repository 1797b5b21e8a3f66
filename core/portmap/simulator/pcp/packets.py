"""PCP on the wire: bytes -> request, answer -> bytes (RFC 6887 §7 and §11 to §14). `server` decides what to answer.

Pure, in both directions, so that a test can compare every field with the RFC. Addresses are IPv6, IPv4 in the mapped
form ::ffff:a.b.c.d (§5).
"""

import struct
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address
from typing import ClassVar, TypeAlias

PORT = 5351  # §19.1
CLIENT_PORT = 5350  # §19.1: where announcements are received
VERSION = 2
ANSWER = 0x80  # the R bit: §7.1
HEAD = 24  # bytes of the common header: §7.1
LONGEST = 1100  # bytes: §7
_HEAD = struct.Struct("!BBHI16s")
_ANSWER_HEAD = struct.Struct("!BBBBII12x")
_MAP = struct.Struct("!12sB3xHH16s")
_OPTION = struct.Struct("!BBH")
_FILTER = struct.Struct("!BBH16s")


class Op(IntEnum):
    """The opcodes that are spoken here: §19.2."""

    ANNOUNCE = 0
    MAP = 1


class PcpResult(IntEnum):
    """§7.4."""

    SUCCESS = 0
    UNSUPP_VERSION = 1
    NOT_AUTHORIZED = 2
    MALFORMED_REQUEST = 3
    UNSUPP_OPCODE = 4
    UNSUPP_OPTION = 5
    MALFORMED_OPTION = 6
    NETWORK_FAILURE = 7
    NO_RESOURCES = 8
    UNSUPP_PROTOCOL = 9
    USER_EX_QUOTA = 10
    CANNOT_PROVIDE_EXTERNAL = 11
    ADDRESS_MISMATCH = 12
    EXCESSIVE_REMOTE_PEERS = 13


class OptionCode(IntEnum):
    """§13. Codes below 128 must be understood, others may be skipped (§7.3)."""

    THIRD_PARTY = 1
    PREFER_FAILURE = 2
    FILTER = 3


class MalformedOption(Exception):
    """An option that does not fit into its message, or does not have the length that it must have."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option (§7.3)."""

    code: int
    data: bytes = b""

    @property
    def mandatory(self) -> bool:
        """Whether a server that does not know it must refuse."""
        return self.code < 128

    def encode(self) -> bytes:
        """The bytes, padded to four."""
        return _OPTION.pack(self.code, 0, len(self.data)) + self.data + bytes(-len(self.data) % 4)


@dataclass(frozen=True, slots=True)
class Filter:
    """Who may use the mapping (§13.3). Prefix length 0: forget all filters; peer port 0: any."""

    prefix_length: int
    peer_port: int
    peer: IPv6Address

    @classmethod
    def read(cls, data: bytes) -> "Filter":
        """Raises MalformedOption."""
        if len(data) != _FILTER.size or data[1] > 128:
            raise MalformedOption
        _, prefix_length, peer_port, peer = _FILTER.unpack(data)
        return cls(prefix_length, peer_port, IPv6Address(peer))


@dataclass(frozen=True, slots=True)
class Announce:
    """Ask for a sign of life, and the epoch (§14.1)."""

    heard: ClassVar[str] = "announce"
    client: IPv6Address


@dataclass(frozen=True, slots=True)
class Map:
    """Map, renew, or with lifetime 0 delete (§11.1). `protocol` is IANA's number, external port 0: you choose."""

    client: IPv6Address
    lifetime: int
    nonce: bytes
    protocol: int
    internal_port: int
    external_port: int
    external_ip: IPv6Address
    options: tuple[Option, ...] = ()

    @property
    def heard(self) -> str:
        """The name of the counter in `Heard`."""
        return "pcp_map" if self.lifetime else "pcp_unmap"

    def encode_body(self) -> bytes:
        """What follows the header; the answer has the same form (§11.1)."""
        fixed = (self.nonce, self.protocol, self.internal_port, self.external_port, self.external_ip.packed)
        return _MAP.pack(*fixed) + b"".join(option.encode() for option in self.options)


@dataclass(frozen=True, slots=True)
class UnsupportedPcpRequest:
    """A request that only deserves an error. `body`: what is copied from it."""

    heard: ClassVar[str] = "unknown"
    opcode: int
    result: PcpResult
    body: bytes = b""


Request: TypeAlias = Announce | Map | UnsupportedPcpRequest


def read(data: bytes) -> Request | None:
    """Understand a datagram; None for what is silently dropped: answers, and what is too short (§8.2)."""
    if len(data) < 2 or data[1] & ANSWER:
        return None
    version, opcode = data[0], data[1]
    if version != VERSION:
        return UnsupportedPcpRequest(opcode, PcpResult.UNSUPP_VERSION)  # §9: answered with the version that we do speak
    if len(data) < HEAD:
        return None
    if len(data) > LONGEST or len(data) % 4:
        return _strange(opcode, PcpResult.MALFORMED_REQUEST, data)
    return _read_opcode(opcode, data)


def _strange(opcode: int, result: PcpResult, data: bytes) -> UnsupportedPcpRequest:
    return UnsupportedPcpRequest(opcode, result, data[HEAD : min(len(data), LONGEST) // 4 * 4])


def _read_opcode(opcode: int, data: bytes) -> Request:
    _, _, _, lifetime, packed = _HEAD.unpack_from(data)
    client = IPv6Address(packed)
    match opcode:
        case Op.ANNOUNCE:
            return Announce(client)
        case Op.MAP if len(data) < HEAD + _MAP.size:
            return _strange(opcode, PcpResult.MALFORMED_REQUEST, data)
        case Op.MAP:
            return _read_map(client, lifetime, data)
    return _strange(opcode, PcpResult.UNSUPP_OPCODE, data)


def _read_map(client: IPv6Address, lifetime: int, data: bytes) -> Request:
    nonce, protocol, internal_port, external_port, external_ip = _MAP.unpack_from(data, HEAD)
    try:
        options = read_options(data[HEAD + _MAP.size :])
    except MalformedOption:
        return _strange(Op.MAP, PcpResult.MALFORMED_OPTION, data)
    wanted = internal_port, external_port, IPv6Address(external_ip)
    return Map(client, lifetime, nonce, protocol, *wanted, options)


def read_options(data: bytes) -> tuple[Option, ...]:
    """All options, in order. Raises MalformedOption."""
    options = []
    while data:
        if len(data) < _OPTION.size:
            raise MalformedOption
        code, _, length = _OPTION.unpack_from(data)
        end = _OPTION.size + length + -length % 4
        if end > len(data):
            raise MalformedOption
        options.append(Option(code, data[_OPTION.size : _OPTION.size + length]))
        data = data[end:]
    return tuple(options)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer (§7.2). `lifetime`: seconds of the mapping, or how long an error holds."""

    opcode: int
    result: int
    lifetime: int
    epoch: int
    body: bytes = b""

    def encode(self) -> bytes:
        """The bytes on the wire."""
        head = (VERSION, ANSWER | self.opcode, 0, self.result, self.lifetime, self.epoch & 0xFFFFFFFF)
        return _ANSWER_HEAD.pack(*head) + self.body


def mapped(address: IPv4Address | str) -> IPv6Address:
    """The IPv4-mapped form of an address (§5)."""
    return IPv6Address(f"::ffff:{address}")
