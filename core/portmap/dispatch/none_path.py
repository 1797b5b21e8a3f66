"""The path of a backend without a gateway (Kind.NONE): the requests are consumed, nothing is sent."""

import logging
from math import inf

from portmap.events import Listener, PortRemoved
from portmap.loop.inbox import Inbox, Register, Stop, Unregister
from portmap.node.local_node import LocalNode

_log = logging.getLogger("portmap.dispatch")


def run_none_path(inbox: Inbox, node: LocalNode, listener: Listener) -> None:
    """Take requests off the inbox until a Stop, as go-ethereum's consumePortMappingRequests. The local ports stand."""
    said = False
    while not isinstance(message := inbox.next_or_settle(inf, listener.on_settled), Stop):
        if isinstance(message, Unregister):
            node.apply(PortRemoved(protocol=message.key.protocol, internal_port=message.key.internal_port))
        if isinstance(message, Register):
            node.expect_port(message.request)
            if not said:
                _log.info("no gateway is asked: requests are consumed, the record keeps the local ports")
                said = True
