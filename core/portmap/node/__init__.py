"""The node's public record, and where each of its entries comes from. Pure.

address_sources  one address family: every source of address and ports, and their order
ip_tracker       what peers say our endpoint is
local_node       LocalNode: where each record entry comes from
record           Record: immutable snapshot, EIP-778 keys
"""

from portmap.node.local_node import LocalNode
from portmap.node.record import Record

__all__ = ["LocalNode", "Record"]
