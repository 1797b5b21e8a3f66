"""Ethereum Node Records, EIP-778: a sequence number and sorted key/value pairs, signed, as text `enr:…`.

Pure. How to sign and how to verify are arguments: functions of the identity scheme (`identity`).
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from portmap.errors import Garbled, SpecError
from portmap_enr import rlp
from portmap_enr.rlp import Item

MAX_SIZE = 300  # bytes; EIP-778: "The maximum encoded size of a node record is 300 bytes"
MAX_SEQ = 2**64 - 1  # EIP-778: "a 64-bit unsigned integer"
SCHEME = b"v4"
PREFIX = "enr:"

Sign: TypeAlias = Callable[[bytes], bytes]
"""content -> signature"""
Verify: TypeAlias = Callable[[bytes, bytes, bytes], bool]
"""(public key, content, signature) -> whether they belong together"""


@dataclass(frozen=True, slots=True)
class Enr:
    """A record whose signature was checked. `pairs` are in the order of their keys."""

    seq: int
    pairs: dict[bytes, Item]
    signature: bytes


def content(seq: int, pairs: Mapping[bytes, Item]) -> bytes:
    """What is signed: the RLP list [seq, k, v, …], keys sorted."""
    return rlp.encode(_content(seq, pairs))


def encode(seq: int, pairs: Mapping[bytes, Item], sign: Sign) -> str:
    """Sign a record and spell it. `pairs` name the scheme and the public key. Raises SpecError if it will not fit."""
    if not 0 <= seq <= MAX_SEQ:
        raise SpecError(f"record sequence number {seq} is out of range: EIP-778 has 64 bits")
    data = rlp.encode((sign(content(seq, pairs)), *_content(seq, pairs)))
    if len(data) > MAX_SIZE:
        raise SpecError(f"the signed record has {len(data)} bytes, EIP-778 allows {MAX_SIZE}: delete an entry")
    return PREFIX + _to_text(data)


def decode(text: str, verify: Verify) -> Enr:
    """Read a record and check all of it. Raises Garbled if one bit is not as EIP-778 wants it."""
    if not text.startswith(PREFIX):
        raise Garbled(f"node record: does not begin with {PREFIX!r}")
    items = rlp.decode(_from_text(text.removeprefix(PREFIX)))
    if not isinstance(items, tuple) or len(items) < 2 or len(items) % 2:
        raise Garbled("node record: not a list of a signature, a sequence number and pairs")
    enr = Enr(_seq(items[1]), _pairs(items[2:]), _bytes(items[0], "signature"))
    _check_signature(enr, verify)
    return enr


def _content(seq: int, pairs: Mapping[bytes, Item]) -> tuple[Item, ...]:
    return (rlp.uint(seq), *(part for pair in sorted(pairs.items(), key=_key) for part in pair))


def _key(pair: tuple[bytes, Item]) -> bytes:
    return pair[0]


def _seq(item: Item) -> int:
    seq = rlp.to_uint(item)
    if seq > MAX_SEQ:
        raise Garbled("node record: the sequence number has more than 64 bits")
    return seq


def _pairs(items: tuple[Item, ...]) -> dict[bytes, Item]:
    keys = [_bytes(key, "key") for key in items[::2]]
    for left, right in pairwise(keys):
        if left >= right:
            raise Garbled(f"node record: key {right!r} after {left!r}: not sorted or not unique")
    return dict(zip(keys, items[1::2], strict=True))


def _bytes(item: Item, what: str) -> bytes:
    if not isinstance(item, bytes):
        raise Garbled(f"node record: the {what} is a list")
    return item


def _check_signature(enr: Enr, verify: Verify) -> None:
    if enr.pairs.get(b"id") != SCHEME:
        raise Garbled(f"node record: identity scheme {enr.pairs.get(b'id')!r} is not supported, only {SCHEME!r} is")
    public_key = _bytes(enr.pairs.get(b"secp256k1", b""), "public key")
    if not verify(public_key, content(enr.seq, enr.pairs), enr.signature):
        raise Garbled("node record: the signature is not that of its key")


def _to_text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def _from_text(text: str) -> bytes:
    """RFC 4648 §5 without padding, and strictly so: no other characters, no stray bits at the end."""
    if len(text) > len(_to_text(bytes(MAX_SIZE))):
        raise Garbled(f"node record: more than {MAX_SIZE} bytes")
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError) as error:
        raise Garbled(f"node record: not base64: {error}") from error
    if _to_text(data) != text:
        raise Garbled("node record: not strict URL-safe base64")
    return data
