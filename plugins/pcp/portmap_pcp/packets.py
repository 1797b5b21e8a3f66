"""PCP packets (RFC 6887 §7, §11, §14): requests to bytes, bytes to answers. Pure.

A datagram is hostile until `read` has checked its version, then length, opcode and, of a mapping, nonce, protocol and
internal port. The version comes first: a server that speaks NAT-PMP only answers in 8 bytes of its own, the answer bit
maybe clear. Addresses are IPv6 on the wire, IPv4 as ::ffff:a.b.c.d (§5); here they are what they mean.
"""

import struct
from ipaddress import IPv6Address
from typing import NamedTuple, TypeAlias

from portmap.errors import Garbled
from portmap.model import Address, Protocol
from portmap_pcp.options import Option, unasked

PORT = 5351  # §19.1
ANNOUNCE_PORT = 5350  # §19.1: where clients hear announcements
NONCE_LENGTH = 12  # bytes: §11.1

VERSION = 2
NATPMP_VERSION = 0
UNSUPPORTED_VERSION = 1  # the result code, in PCP (§7.4) and in NAT-PMP (RFC 6886 §3.5)
ANSWER = 0x80  # the R bit: §7.1
ANNOUNCE_OPCODE, _MAP_OPCODE = 0, 1  # §19.2
HEADER = struct.Struct("!BBxBII12x")  # version, R and opcode, result, lifetime, epoch: §7.2

_REQUEST = struct.Struct("!BBxxI16s")  # version, opcode, lifetime, client address: §7.1
_MAP = struct.Struct("!12sB3xHH16s")  # nonce, protocol, internal port, external port, external address: §11.1
_LONGEST = 1100  # bytes: §7
_IANA = {Protocol.TCP: 6, Protocol.UDP: 17}


class Announced(NamedTuple):
    """The server lives; `epoch`: for how many seconds it has kept its state (§8.5)."""

    epoch: int


class Mapped(NamedTuple):
    """What became of a mapping; after a deletion only the lifetime, 0, means something."""

    epoch: int
    lifetime: int
    external_port: int
    external_ip: Address


class Refusal(NamedTuple):
    """A result code other than 0 (§7.4), and for how many seconds the server will say the same.

    `epoch` is None where another version's packet has it elsewhere. `has_nonce`: it answers a MAP and has its nonce,
    so no other host made it up; `external_ip`: the address that the server had for that mapping, if it tells one.
    """

    epoch: int | None
    result: int
    lifetime: int = 0
    external_ip: Address | None = None
    has_nonce: bool = False


class NatPmpOnly(NamedTuple):
    """The server speaks NAT-PMP, PCP's version 0, and nothing newer (RFC 6887 §9 and appendix A)."""

    version: int = NATPMP_VERSION


No: TypeAlias = Refusal | NatPmpOnly


class Announce(NamedTuple):
    """Are you there, and for how long? §14.1."""

    client: Address

    def to_bytes(self) -> bytes:
        """The request on the wire: 24 bytes."""
        return _REQUEST.pack(VERSION, ANNOUNCE_OPCODE, 0, to_wire(self.client))

    def read(self, datagram: bytes) -> Announced | No:
        """The datagram as an answer to this request. Raises Garbled if it is none."""
        head = _read_head(datagram, ANNOUNCE_OPCODE)
        return Announced(head.epoch) if isinstance(head, _Head) and not head.result else _no(head)


class Map(NamedTuple):
    """Open a port or extend the lease, with lifetime 0 shut it: §11.1 and §15.1.

    External port 0 and no address mean: you choose. The internal port must not be 0: that would be all our host's.
    """

    client: Address
    nonce: bytes
    protocol: Protocol
    internal_port: int
    external_port: int = 0
    external_ip: Address | None = None
    lifetime: int = 0
    options: tuple[Option, ...] = ()

    def to_bytes(self) -> bytes:
        """The request on the wire: 60 bytes and the options."""
        head = _REQUEST.pack(VERSION, _MAP_OPCODE, self.lifetime, to_wire(self.client))
        suggested = to_wire(self.external_ip or type(self.client)(0))
        body = _MAP.pack(self.nonce, _IANA[self.protocol], self.internal_port, self.external_port, suggested)
        return head + body + b"".join(option.to_bytes() for option in self.options)

    def read(self, datagram: bytes) -> Mapped | No:
        """The datagram as an answer to this request. Raises Garbled if it is none.

        A refusal may end after its header; where it goes on it has to be for this mapping, too.
        """
        head = _read_head(datagram, _MAP_OPCODE)
        if not isinstance(head, _Head):
            return head
        body = datagram[HEADER.size :]
        if len(body) < _MAP.size:
            if head.result:
                return _no(head)
            raise Garbled(f"the answer has {len(datagram)} bytes, fewer than {HEADER.size + _MAP.size}")
        self._check(body)
        *_, external_port, packed = _MAP.unpack_from(body)
        external_ip = from_wire(packed)
        if head.result:
            had = None if external_ip.is_unspecified else external_ip
            return Refusal(head.epoch, head.result, head.lifetime, had, has_nonce=True)
        return Mapped(head.epoch, head.lifetime, external_port, external_ip)

    def _check(self, body: bytes) -> None:
        """Whether the answer is for this mapping (§11.4). The nonce is a secret: it is not told."""
        nonce, protocol, internal_port, *_ = _MAP.unpack_from(body)
        if nonce != self.nonce:
            raise Garbled("the answer is for another nonce")
        if protocol != _IANA[self.protocol]:
            raise Garbled(f"the answer is for IP protocol {protocol}, not {_IANA[self.protocol]}")
        if internal_port != self.internal_port:
            raise Garbled(f"the answer is for internal port {internal_port}, not {self.internal_port}")
        if strange := unasked(body[_MAP.size :], self.options):
            raise Garbled(f"the answer has option {strange[0]}, which was not asked for")


def to_wire(address: Address) -> bytes:
    """The 16 bytes of an address (§5). A zone is not part of it."""
    return address.packed if isinstance(address, IPv6Address) else IPv6Address(f"::ffff:{address}").packed


def from_wire(packed: bytes) -> Address:
    """The address that 16 bytes mean; IPv4 only where all 96 bits before it say so."""
    address = IPv6Address(packed)
    return address.ipv4_mapped or address


class _Head(NamedTuple):
    result: int
    lifetime: int
    epoch: int


def _read_head(datagram: bytes, opcode: int) -> _Head | No:
    """The header of an answer to this opcode; in another version's answer all that matters. Raises Garbled."""
    if len(datagram) < 4:
        raise Garbled(f"the answer has {len(datagram)} bytes, fewer than 4")  # §8.3
    if datagram[0] != VERSION:
        return _other_version(datagram)
    if len(datagram) < HEADER.size or len(datagram) > _LONGEST or len(datagram) % 4:
        raise Garbled(f"the answer has {len(datagram)} bytes: 24 to 1100 are allowed, in fours")  # §8.3
    _, answered, result, lifetime, epoch = HEADER.unpack_from(datagram)
    if answered != ANSWER | opcode:
        raise Garbled(f"the answer has opcode {answered}, not {ANSWER | opcode}")
    return _Head(result, lifetime, epoch)


def _other_version(datagram: bytes) -> No:
    """The one thing that another version may answer: that it does not know ours (§9)."""
    version, answered = datagram[:2]
    if version == NATPMP_VERSION and int.from_bytes(datagram[2:4], "big") == UNSUPPORTED_VERSION:
        return NatPmpOnly()  # whatever the opcode and the answer bit: RFC 6886 §3.5 draws them as 0
    if version > VERSION and answered & ANSWER and datagram[3] == UNSUPPORTED_VERSION:
        return Refusal(None, UNSUPPORTED_VERSION)
    raise Garbled(f"the answer is of version {version}, not {VERSION}")


def _no(head: _Head | No) -> No:
    return Refusal(head.epoch, head.result, head.lifetime) if isinstance(head, _Head) else head
