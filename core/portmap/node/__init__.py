"""What a node tells its peers: its record, and where each entry of the record comes from."""

from portmap.node.local_node import LocalNode
from portmap.node.record import Record

__all__ = ["LocalNode", "Record"]
