"""A node, and a clock that the tests set."""

import pytest
from tests.node.nodes import DISC, LOOPBACK, P2P, Clock

from portmap.model import PortRequest
from portmap.node.local_node import LocalNode


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def node(clock: Clock) -> LocalNode:
    """A node without any word about it."""
    return LocalNode(clock)


@pytest.fixture
def started(node: LocalNode) -> LocalNode:
    """A node as go-ethereum starts it: the loopback address and the local ports, committed."""
    node.set_fallback_ip(LOOPBACK)
    node.expect_port(PortRequest(P2P.protocol, P2P.internal_port))
    node.expect_port(PortRequest(DISC.protocol, DISC.internal_port))
    node.commit()
    return node
