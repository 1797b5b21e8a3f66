"""Announcements: what a gateway tells its whole link when its state or its external address has changed. Pure.

Anybody on the link can send one, so an announcement proves nothing: it is a reason to ask.

NAT-PMP's announcement is the answer to an address question that no client asked (RFC 6886 §3.2.1). A gateway that
speaks PCP, too, may send PCP's only, an ANNOUNCE (RFC 6887 §14.1): miniupnpd does so when it starts.
"""

import struct

from portmap.errors import Garbled
from portmap_natpmp.packets import PORT, AddressRequest, Refusal

GROUP = "224.0.0.1"  # all hosts of the link: RFC 6886 §3.2.1
ANNOUNCED_AT = ((GROUP, 5350), (GROUP, PORT))  # the latter in drafts before 2008; miniupnpd still sends to both

_PCP_VERSION = 2
_PCP_ANNOUNCE = 128  # the answer bit and opcode 0: RFC 6887 §14.1
_PCP_HEADER = struct.Struct("!BBxBII12x")  # version, opcode, result, lifetime, epoch: RFC 6887 §7.2


def read_announcement(datagram: bytes) -> int:
    """The epoch that the datagram announces. Raises Garbled if it is no announcement."""
    if datagram[:1] == bytes([_PCP_VERSION]):
        return _read_pcp(datagram)
    answer = AddressRequest().read(datagram)
    if isinstance(answer, Refusal):
        raise Garbled(f"the announcement has result {answer.result}, not 0")
    return answer.epoch


def _read_pcp(datagram: bytes) -> int:
    if len(datagram) < _PCP_HEADER.size:
        raise Garbled(f"the PCP announcement has {len(datagram)} bytes, fewer than {_PCP_HEADER.size}")
    _, opcode, result, _, epoch = _PCP_HEADER.unpack_from(datagram)
    if (opcode, result) != (_PCP_ANNOUNCE, 0):
        raise Garbled(f"the PCP packet has opcode {opcode} and result {result}: it announces nothing")
    return int(epoch)
