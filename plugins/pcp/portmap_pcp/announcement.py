"""Announcements: what a PCP server tells its whole link when its state may be lost (RFC 6887 §14.1).

Law: pure. An announcement proves nothing, for anybody on the link can send one: it is a reason to ask, never more.
"""

from portmap.errors import Garbled
from portmap_pcp.packets import ANNOUNCE_PORT, ANSWER, HEADER, VERSION, Announce

GROUP, GROUP6 = "224.0.0.1", "ff02::1"  # all nodes of the link: §14.1.1
ANNOUNCED_AT = ((GROUP, ANNOUNCE_PORT),)
ANNOUNCED_AT_6 = ((GROUP6, ANNOUNCE_PORT),)


def read_announcement(datagram: bytes) -> int:
    """The datagram as an announcement: its epoch. Raises Garbled if it is none."""
    if len(datagram) < HEADER.size:
        raise Garbled(f"the announcement has {len(datagram)} bytes, fewer than {HEADER.size}")
    version, opcode, result, _, epoch = HEADER.unpack_from(datagram)
    if (version, opcode, result) != (VERSION, ANSWER | Announce.opcode, 0):
        raise Garbled(f"version {version}, opcode {opcode}, result {result} announces nothing")
    return int(epoch)
