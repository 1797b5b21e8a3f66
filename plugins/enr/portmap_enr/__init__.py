"""Node records (EIP-778): the publisher `enr` signs what the node announces.

enr            EIP-778 records; pure
enr_publisher  the publisher `enr`
identity       identity scheme v4
keyfile        the node key file
rlp            RLP; pure
"""

from portmap_enr.enr_publisher import EnrPublisher

__all__ = ["EnrPublisher"]
