"""A STUN message's attributes (RFC 8489 §14): bytes to values.

Pure. A message is hostile: an attribute that does not end where the message does, a wrong fingerprint, or an unknown
attribute that must be understood makes all of it Garbled.
"""

import struct
from binascii import crc32
from collections.abc import Iterator
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias

from portmap.errors import Garbled

Address: TypeAlias = IPv4Address | IPv6Address

_HEADER = struct.Struct("!HH")  # type, length of the value without its padding: §14
_OPTIONAL = 0x8000  # types from here on need not be understood: §14
_FINGERPRINT_SIZE = 8  # with its header
_FINGERPRINT_XOR = 0x5354554E  # §14.7
_FAMILIES: dict[tuple[int, int], type[Address]] = {(1, 4): IPv4Address, (2, 16): IPv6Address}  # and lengths: §14.1
_BROADCAST = IPv4Address("255.255.255.255")


class Type(IntEnum):
    """The types that are understood (§18.3).

    SOURCE and CHANGED are RFC 3489's, whose servers always send them. CHANGE_REQUEST, RESPONSE_PORT, RESPONSE_ORIGIN
    and OTHER_ADDRESS are RFC 5780's (§7).
    """

    MAPPED_ADDRESS = 0x0001
    CHANGE_REQUEST = 0x0003
    SOURCE_ADDRESS = 0x0004
    CHANGED_ADDRESS = 0x0005
    USERNAME = 0x0006
    MESSAGE_INTEGRITY = 0x0008
    ERROR_CODE = 0x0009
    UNKNOWN_ATTRIBUTES = 0x000A
    REALM = 0x0014
    NONCE = 0x0015
    MESSAGE_INTEGRITY_SHA256 = 0x001C
    PASSWORD_ALGORITHM = 0x001D
    USERHASH = 0x001E
    XOR_MAPPED_ADDRESS = 0x0020
    RESPONSE_PORT = 0x0027
    FINGERPRINT = 0x8028
    RESPONSE_ORIGIN = 0x802B
    OTHER_ADDRESS = 0x802C


_UNDERSTOOD = frozenset(Type)
_SIGNATURES = {Type.MESSAGE_INTEGRITY, Type.MESSAGE_INTEGRITY_SHA256}


def read_attributes(message: bytes, start: int) -> dict[int, bytes]:
    """The values by type, from `start` on; of one type the first. Raises Garbled.

    What follows a signature does not count (§14.5, §14.6), save the fingerprint.
    """
    found: dict[int, bytes] = {}
    for kind, value, place in _walk(message, start):
        if kind == Type.FINGERPRINT:
            _check_fingerprint(message, value, place)
        elif _SIGNATURES.isdisjoint(found):
            if kind < _OPTIONAL and kind not in _UNDERSTOOD:  # §6.3.3, §6.3.4
                raise Garbled(f"the answer has attribute {kind:#06x}, which is mandatory, and unknown to portmap")
            found.setdefault(kind, value)
    return found


def read_endpoint(value: bytes, mask: bytes = bytes(16)) -> tuple[Address, int]:
    """MAPPED-ADDRESS, or with its mask XOR-MAPPED-ADDRESS: zero, family, port, address (§14.1, §14.2).

    Raises Garbled for an address that no host can have.
    """
    make = _FAMILIES.get((value[1], len(value) - 4)) if len(value) > 4 else None
    if make is None:
        raise Garbled("the answer's address is of no known family")
    address = make(bytes(byte ^ hidden for byte, hidden in zip(value[4:], mask, strict=False)))
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    if address.is_unspecified or address.is_multicast or address == _BROADCAST:
        raise Garbled(f"the answer is {address}, which no host can have")
    return address, int.from_bytes(value[2:4], "big") ^ int.from_bytes(mask[:2], "big")


def to_attribute(kind: Type, value: bytes) -> bytes:
    """One attribute on the wire, padded to a multiple of 4 bytes (§14)."""
    return _HEADER.pack(kind, len(value)) + value + bytes(-len(value) % 4)


def read_error(value: bytes) -> tuple[int, str]:
    """ERROR-CODE: the hundreds in three bits, the rest, then words (§14.8). Raises Garbled."""
    if len(value) < 4 or not 3 <= value[2] & 7 <= 6 or value[3] > 99:
        raise Garbled("the answer is a refusal without an error code")
    return (value[2] & 7) * 100 + value[3], value[4:].decode(errors="replace")


def _walk(message: bytes, start: int) -> Iterator[tuple[int, bytes, int]]:
    """Each attribute's type, value and place; the message's length is a multiple of 4."""
    while start < len(message):
        kind, length = _HEADER.unpack_from(message, start)
        begin = start + _HEADER.size
        if begin + length > len(message):
            raise Garbled(f"attribute {kind:#06x} claims {length} bytes, more than there are")
        yield kind, message[begin : begin + length], start
        start = begin + (length + 3) // 4 * 4


def _check_fingerprint(message: bytes, value: bytes, place: int) -> None:
    """The last attribute, with the CRC-32 of all before it (§14.7)."""
    expected = (crc32(message[:place]) ^ _FINGERPRINT_XOR).to_bytes(4, "big")
    if place + _FINGERPRINT_SIZE != len(message) or value != expected:
        raise Garbled("the answer's fingerprint is wrong")
