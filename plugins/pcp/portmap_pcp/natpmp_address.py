"""The one question of NAT-PMP (RFC 6886 §3.2) that PCP knows no other way to ask: what the external address is.

Law: pure. Many PCP servers speak both on one port, as RFC 6887 appendix A has it. It opens nothing.
"""

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address

from portmap.errors import Garbled
from portmap_pcp.packets import ANSWER, NATPMP_VERSION

NO_ADDRESS_YET = 3  # "network failure", as when the uplink is down: RFC 6886 §3.5

_HEADER = struct.Struct("!BBHI")  # version, opcode, result, epoch
_LENGTH = 12


@dataclass(frozen=True, slots=True)
class StatedAddress:
    """The address, or None with the `result` that says why not; whoever does not know the question says so, too."""

    external_ip: IPv4Address | None
    result: int = 0


@dataclass(frozen=True, slots=True)
class AddressQuestion:
    """Asks for the external address."""

    def to_bytes(self) -> bytes:
        """The request on the wire: version and opcode, both 0."""
        return bytes(2)

    def read(self, datagram: bytes) -> StatedAddress:
        """The datagram as an answer. Raises Garbled if it is none."""
        if len(datagram) < _HEADER.size:
            raise Garbled(f"the answer has {len(datagram)} bytes, fewer than {_HEADER.size}")
        version, opcode, result, _ = _HEADER.unpack_from(datagram)
        if not opcode & ANSWER:
            raise Garbled("the answer has no answer bit")
        if version != NATPMP_VERSION:
            return StatedAddress(None, datagram[3])  # a PCP server that speaks nothing else: RFC 6887 §9
        if result:
            return StatedAddress(None, result)
        if opcode != ANSWER or len(datagram) < _LENGTH:
            raise Garbled(f"the answer has opcode {opcode} and {len(datagram)} bytes: it states no address")
        address = IPv4Address(datagram[_HEADER.size : _LENGTH])
        return StatedAddress(None, NO_ADDRESS_YET) if address.is_unspecified else StatedAddress(address)
