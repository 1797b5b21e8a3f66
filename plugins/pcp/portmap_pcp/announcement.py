"""Announcements: what a PCP server tells its whole link when its state may be lost (RFC 6887 §14.1). Pure.

Anybody on the link can send one, so an announcement proves nothing: it is a reason to ask.

A server that speaks NAT-PMP, too, may announce a new external address by NAT-PMP only (RFC 6886 §3.2.1): miniupnpd up
to 2.0 does so.
"""

from portmap.errors import Garbled
from portmap_pcp.natpmp_address import read_announced_epoch
from portmap_pcp.packets import ANNOUNCE_OPCODE, ANNOUNCE_PORT, ANSWER, HEADER, NATPMP_VERSION, VERSION

GROUP, GROUP6 = "224.0.0.1", "ff02::1"  # all nodes of the link: §14.1.1
ANNOUNCED_AT = ((GROUP, ANNOUNCE_PORT),)
ANNOUNCED_AT_6 = ((GROUP6, ANNOUNCE_PORT),)


def read_announcement(datagram: bytes) -> int:
    """The epoch that the datagram announces. Raises Garbled if it is no announcement."""
    if datagram[:1] == bytes([NATPMP_VERSION]):
        return read_announced_epoch(datagram)
    if len(datagram) < HEADER.size:
        raise Garbled(f"the announcement has {len(datagram)} bytes, fewer than {HEADER.size}")
    version, opcode, result, _, epoch = HEADER.unpack_from(datagram)
    if (version, opcode, result) != (VERSION, ANSWER | ANNOUNCE_OPCODE, 0):
        raise Garbled(f"version {version}, opcode {opcode}, result {result} announces nothing")
    return int(epoch)
