"""RLP, Ethereum's serialisation: byte strings and lists of such, nothing else.

Pure. Strict: every item has exactly one encoding, and `decode` takes no other. (Ethereum yellow paper, appendix B; https://ethereum.org/developers/docs/data-structures-and-encoding/rlp)
"""

from typing import TypeAlias

from portmap.errors import Garbled

Item: TypeAlias = bytes | tuple["Item", ...]

_STRING = 0x80  # first byte of an empty string, and of no byte that stands for itself
_LIST = 0xC0  # first byte of an empty list
_SHORT = 55  # the greatest size that fits into the first byte
MAX_DEPTH = 16  # of lists in lists: far beyond any node record, far from Python's own limit


def uint(number: int) -> bytes:
    """A number as RLP spells it: big-endian, no leading zeros, 0 is the empty string."""
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def to_uint(item: Item) -> int:
    """The number that an item spells. Raises Garbled."""
    if not isinstance(item, bytes) or item[:1] == b"\x00":
        raise Garbled(f"RLP: {item!r} is no number: it is a list or has leading zeros")
    return int.from_bytes(item, "big")


def encode(item: Item) -> bytes:
    """The one encoding of an item."""
    if isinstance(item, bytes):
        return item if _stands_for_itself(item) else _head(_STRING, len(item)) + item
    body = b"".join(encode(part) for part in item)
    return _head(_LIST, len(body)) + body


def decode(data: bytes) -> Item:
    """The item that is encoded in exactly these bytes. Raises Garbled."""
    item, rest = _take(data, MAX_DEPTH)
    if rest:
        raise Garbled(f"RLP: {len(rest)} bytes after the end")
    return item


def _stands_for_itself(data: bytes) -> bool:
    return len(data) == 1 and data[0] < _STRING


def _head(kind: int, size: int) -> bytes:
    if size <= _SHORT:
        return bytes([kind + size])
    digits = uint(size)
    return bytes([kind + _SHORT + len(digits)]) + digits


def _take(data: bytes, depth: int) -> tuple[Item, bytes]:
    """The first item, and what follows it."""
    if not data:
        raise Garbled("RLP: an item is missing")
    if data[0] < _STRING:
        return data[:1], data[1:]
    kind = _LIST if data[0] >= _LIST else _STRING
    body, rest = _split(data, kind)
    if kind == _LIST:
        return _parts(body, depth), rest
    if _stands_for_itself(body):
        raise Garbled(f"RLP: byte {body.hex()} with a length before it")
    return body, rest


def _split(data: bytes, kind: int) -> tuple[bytes, bytes]:
    """The body that the head promises, and what follows it."""
    start, size = 1, data[0] - kind
    if size > _SHORT:
        start += size - _SHORT
        size = to_uint(data[1:start])
        if size <= _SHORT:
            raise Garbled(f"RLP: a size of {size} in the long form")
    if len(data) < start + size:
        raise Garbled(f"RLP: {start + size} bytes promised, {len(data)} there")
    return data[start : start + size], data[start + size :]


def _parts(body: bytes, depth: int) -> Item:
    if not depth:
        raise Garbled(f"RLP: lists in lists, more than {MAX_DEPTH} deep")
    parts: list[Item] = []
    while body:
        part, body = _take(body, depth - 1)
        parts.append(part)
    return tuple(parts)
