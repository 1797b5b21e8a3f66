"""The publisher `enr`: the node's record as a signed Ethereum Node Record (EIP-778)."""

from portmap_enr.enr_publisher import EnrPublisher

__all__ = ["EnrPublisher"]
