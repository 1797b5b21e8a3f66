"""Announcements: what a gateway tells its whole link when its state or its external address has changed.

Law: pure. An announcement proves nothing, for anybody on the link can send one: it is a reason to ask, never more.

NAT-PMP's is the answer to an address question that nobody asked (RFC 6886 §3.2.1). A gateway that speaks PCP as well
may send only PCP's, an ANNOUNCE (RFC 6887 §14.1), and mean both by it: miniupnpd does so when it starts.
"""

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address

from portmap.errors import Garbled
from portmap_natpmp.packets import PORT, AddressRequest, Refusal

GROUP = "224.0.0.1"  # all hosts of the link: RFC 6886 §3.2.1
ANNOUNCED_AT = ((GROUP, 5350), (GROUP, PORT))  # the latter in drafts before 2008; miniupnpd still sends to both

_PCP_VERSION = 2
_PCP_ANNOUNCE = 128  # the answer bit and opcode 0: RFC 6887 §14.1
_PCP_HEADER = struct.Struct("!BBxBII12x")  # version, opcode, result, lifetime, epoch: RFC 6887 §7.2


@dataclass(frozen=True, slots=True)
class Announcement:
    """What was announced: for how many seconds the gateway has kept its state, and its address (PCP states none)."""

    epoch: int
    external_ip: IPv4Address | None = None


def read_announcement(datagram: bytes) -> Announcement:
    """The datagram as an announcement. Raises Garbled if it is none."""
    if datagram[:1] == bytes([_PCP_VERSION]):
        return _read_pcp(datagram)
    answer = AddressRequest().read(datagram)
    if isinstance(answer, Refusal):
        raise Garbled(f"the announcement has result {answer.result}, not 0")
    return Announcement(answer.epoch, answer.external_ip)


def _read_pcp(datagram: bytes) -> Announcement:
    if len(datagram) < _PCP_HEADER.size:
        raise Garbled(f"the PCP announcement has {len(datagram)} bytes, fewer than {_PCP_HEADER.size}")
    _, opcode, result, _, epoch = _PCP_HEADER.unpack_from(datagram)
    if (opcode, result) != (_PCP_ANNOUNCE, 0):
        raise Garbled(f"the PCP packet has opcode {opcode} and result {result}: it announces nothing")
    return Announcement(epoch)
