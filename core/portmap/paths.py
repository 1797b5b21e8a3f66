"""Two of the three paths: the loop with its surroundings, and the one that has nobody to speak to.

Law: like the loop, a path owns its thread's state, reads one inbox and ends at a Stop.
"""

import logging
from math import inf

from portmap.events import Listener, MappingRemoved
from portmap.inbox import Inbox, Message, Moved, Register, Stop, Unregister
from portmap.links import LinkWatch, current_view, current_view6
from portmap.loop import Loop
from portmap.nat import Nat
from portmap.node import LocalNode
from portmap.policy import Policy
from portmap.scribe import Scribe
from portmap.state import State

_log = logging.getLogger("portmap.dispatch")


def keep_mapped(
    nat: Nat, inbox: Inbox, listener: Listener, policy: Policy | None, state: State | None, *, ipv6: bool = False
) -> None:
    """The loop, with somebody who watches our own side of the network, and somebody who writes the journal."""
    view = current_view6 if ipv6 else current_view
    links = LinkWatch(lambda reason: inbox.put(Moved(reason)), view).start()
    try:
        if state is None:
            Loop(nat, inbox, listener, policy).run()
        else:
            scribe = Scribe(listener, state, nat.name, nat.hint)
            if hint := scribe.inherited.hint_for(nat.name):
                nat.take_hint(hint)
            loop = Loop(nat, inbox, scribe, policy, scribe.inherited, scribe.on_swept)
            scribe.token_of, scribe.inner_port_of = loop.token_of, loop.inner_port_of
            loop.run()
    finally:
        links.close()
        if state is not None:
            state.close()


def consume_requests(inbox: Inbox, node: LocalNode, listener: Listener) -> None:
    """No NAT: take the requests off the inbox, as go-ethereum's consumePortMappingRequests. The local ports stand."""
    said = False
    while not isinstance(message := _next_message(inbox, listener), Stop):
        if isinstance(message, Unregister):
            protocol, port = message.key
            node.apply(MappingRemoved(protocol=protocol, internal_port=port))
        if isinstance(message, Register):
            node.expect(message.request)
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
