"""The path of a backend without a gateway (Kind.NONE): the requests are consumed, nothing is sent."""

import logging
from math import inf

from portmap.events import Listener, MappingRemoved
from portmap.loop.inbox import Inbox, Message, Register, Stop, Unregister
from portmap.node.local_node import LocalNode

_log = logging.getLogger("portmap.dispatch")


def run_none_path(inbox: Inbox, node: LocalNode, listener: Listener) -> None:
    """No NAT: take the requests off the inbox, as go-ethereum's consumePortMappingRequests. The local ports stand."""
    said = False
    while not isinstance(message := _next_message(inbox, listener), Stop):
        if isinstance(message, Unregister):
            protocol, port = message.key
            node.apply(MappingRemoved(protocol=protocol, internal_port=port))
        if isinstance(message, Register):
            node.expect_port(message.request)
            if not said:
                _log.info("no NAT is spoken to: requests are consumed, the record keeps the local ports")
                said = True


def _next_message(inbox: Inbox, listener: Listener) -> Message | None:
    """The next message; before sleeping, what was told so far is settled."""
    message = inbox.next(-inf)
    if message is None:
        listener.on_settled()
        message = inbox.next(inf)
    return message
