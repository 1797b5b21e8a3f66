"""The publisher `enr:KEYFILE`: signs the node's record when it has changed.

The core decides when a record is new, and announces the text in `record.changed`; the other publishers get it from
there.
"""

import logging
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Protocol

from portmap.errors import SpecError
from portmap.hookspecs import hookimpl
from portmap_enr import enr, keyfile
from portmap_enr.rlp import Item, uint

if TYPE_CHECKING:
    from portmap.node.local_node import Record, Value

logger = logging.getLogger("portmap.enr")


class Signer(Protocol):
    """A key on secp256k1 that signs, such as `identity.Identity`."""

    public_key: bytes
    node_id: bytes

    def sign(self, content: bytes) -> bytes:
        """The signature, r and s, over the content's keccak-256."""


class EnrPublisher:
    """Signs records in the name of one key."""

    def __init__(self, identity: Signer) -> None:
        self._identity = identity

    @classmethod
    def from_argument(cls, argument: str | None) -> "EnrPublisher":
        """Read the key file, or make it: local and at once, so that a bad one ends the run before anything is sent."""
        if not argument:
            raise SpecError("publisher enr needs a key file: write enr:KEYFILE (it is made if it is missing)")
        from portmap_enr.identity import Identity  # noqa: PLC0415  # 20 ms and an extra: only for those who sign

        return cls(Identity(keyfile.read_or_create(argument)))

    def __str__(self) -> str:
        return f"ENR {self._identity.node_id.hex()}"

    @hookimpl
    def sign_record(self, record: "Record") -> str:
        """The record as `enr:` text. Raises SpecError where it will not fit into 300 bytes."""
        pairs = {key.encode(): _item(value) for key, value in record.entries}
        pairs |= {b"id": enr.SCHEME, b"secp256k1": self._identity.public_key}
        text = enr.encode(record.seq, pairs, self._identity.sign)
        logger.debug("signed record %d: %s", record.seq, text)
        return text


def _item(value: "Value") -> Item:
    """A value as EIP-778 has it: addresses packed, numbers big-endian without leading zeros, text in UTF-8."""
    match value:
        case IPv4Address() | IPv6Address():
            return value.packed
        case int():
            return uint(value)
        case str():
            return value.encode()
        case tuple():
            return tuple(_item(part) for part in value)
    return value
