"""PCP options (RFC 6887 §7.3): what a request asks for beside its opcode, and what an answer says of that. Pure.

An answer's options are never trusted to be well laid out: what cannot be read is padding.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

_HEAD = struct.Struct("!BxH")  # code, reserved, length: §7.3
_OPTIONAL = 128  # codes from here on may be skipped by a server that does not know them: §7.3


class Option(NamedTuple):
    """One option; codes below 128 must be understood by the server, or it refuses."""

    code: int
    data: bytes = b""

    def to_bytes(self) -> bytes:
        """The option on the wire, padded to four bytes."""
        return _HEAD.pack(self.code, len(self.data)) + self.data + bytes(-len(self.data) % 4)


THIRD_PARTY = 1  # the code; the data are the 16 bytes of the host that the mapping leads to: §13.1
PREFER_FAILURE = Option(2)
"""Exactly the suggested port and address, or nothing (§13.2): the refusal is CANNOT_PROVIDE_EXTERNAL."""


def read_options(data: bytes) -> Iterator[Option]:
    """The options as far as they can be read."""
    while len(data) >= _HEAD.size:
        code, length = _HEAD.unpack_from(data)
        end = _HEAD.size + length
        if end > len(data):
            return
        yield Option(code, data[_HEAD.size : end])
        data = data[end + -length % 4 :]


def unasked(data: bytes, asked: tuple[Option, ...]) -> list[int]:
    """The codes that must be understood and were not asked for; code 0 is no option, but padding."""
    known = {option.code for option in asked}
    return [it.code for it in read_options(data) if 0 < it.code < _OPTIONAL and it.code not in known]
