"""NAT-PMP's address question (RFC 6886 §3.2): PCP tells the external address with a mapping only. Pure.

Many PCP servers speak both on one port, as RFC 6887 appendix A has it. The question opens nothing.
"""

import struct
from ipaddress import IPv4Address
from typing import NamedTuple

from portmap.errors import Garbled
from portmap_pcp.packets import ANSWER, NATPMP_VERSION

NETWORK_FAILURE = 3  # RFC 6886 §3.5
NO_ADDRESS = 0  # not a result of the wire: success, and the address 0.0.0.0

_HEADER = struct.Struct("!BBHI")  # version, opcode, result, epoch
_LENGTH = 12


class StatedAddress(NamedTuple):
    """The address, or None with the `result` that says why not, NO_ADDRESS for 0.0.0.0. The epoch is an address's."""

    external_ip: IPv4Address | None
    result: int = NO_ADDRESS
    epoch: int = 0


UNKNOWN = StatedAddress(None, -1)
"""There was no answer, or none that can be believed."""


class AddressQuestion:
    """Asks for the external address."""

    def to_bytes(self) -> bytes:
        """The request on the wire: version and opcode, both 0."""
        return bytes(2)

    def read(self, datagram: bytes) -> StatedAddress:
        """The datagram as an answer. Raises Garbled if it is none."""
        if len(datagram) < _HEADER.size:
            raise Garbled(f"the answer has {len(datagram)} bytes, fewer than {_HEADER.size}")
        version, opcode, result, epoch = _HEADER.unpack_from(datagram)
        if not opcode & ANSWER:
            raise Garbled("the answer has no answer bit")
        if version != NATPMP_VERSION:
            return StatedAddress(None, datagram[3])  # a PCP server that speaks nothing else: RFC 6887 §9
        if result:
            return StatedAddress(None, result)
        if opcode != ANSWER or len(datagram) < _LENGTH:
            raise Garbled(f"the answer has opcode {opcode} and {len(datagram)} bytes: it states no address")
        address = IPv4Address(datagram[_HEADER.size : _LENGTH])
        return StatedAddress(None if address.is_unspecified else address, epoch=epoch)


def read_announced_epoch(datagram: bytes) -> int:
    """The epoch of an announcement, which is a good answer to the address question. Raises Garbled if it is none."""
    answer = AddressQuestion().read(datagram)
    version, _, result, epoch = _HEADER.unpack_from(datagram)
    if version != NATPMP_VERSION or result:
        raise Garbled(f"the announcement has version {version} and result {answer.result}")
    return int(epoch)
