"""The three paths: the loop with its surroundings, and the two that need no loop - nothing to speak to, nothing to ask.

Law: like the loop, a path owns its thread's state, reads one inbox and ends at a Stop.
"""

import logging
from math import inf

from portmap.events import ExternalIPChanged, Listener, MappingAdded, MappingRemoved
from portmap.inbox import Alert, Inbox, Interrupted, Message, Moved, Register, Stop, Unregister
from portmap.links import LinkWatch
from portmap.loop import Loop
from portmap.model import Key, Mapping, PortRequest, scope_of
from portmap.nat import Nat
from portmap.node import LocalNode
from portmap.policy import Policy
from portmap.scribe import Scribe
from portmap.state import State

_log = logging.getLogger("portmap.dispatch")


def keep_mapped(nat: Nat, inbox: Inbox, listener: Listener, policy: Policy | None, state: State | None) -> None:
    """The loop, with somebody who watches our own side of the network, and somebody who writes the journal."""
    links = LinkWatch(lambda reason: inbox.put(Moved(reason))).start()
    try:
        if state is None:
            Loop(nat, inbox, listener, policy).run()
        else:
            scribe = Scribe(listener, state)
            Loop(nat, inbox, scribe, policy, scribe.inherited, scribe.on_swept).run()
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


class StaticPath:
    """A known address: every requested port is taken as forwarded by hand, announced, and nothing is sent.

    The address is the user's own word, so it enters the record whatever its scope.
    """

    def __init__(self, nat: Nat, inbox: Inbox, node: LocalNode, listener: Listener) -> None:
        self._nat = nat
        self._inbox = inbox
        self._node = node
        self._listener = listener
        self._mappings: dict[Key, Mapping] = {}

    def run(self) -> None:
        """Run until a Stop is read. A known address that cannot be told is a fault: NATError or PluginError."""
        self._nat.wait = self._inbox.wait
        try:
            self._follow()
        except Interrupted:
            _log.debug("stopped during a call to %s", self._nat)
        for key in list(self._mappings):
            self._remove(key)
        self._listener.on_settled()

    def _follow(self) -> None:
        address = self._nat.external_ip()
        self._node.set_static_ip(address)
        self._listener.on_event(ExternalIPChanged(external_ip=address, scope=scope_of(address)))
        while not isinstance(message := _next_message(self._inbox, self._listener), Stop):
            match message:
                case Register(request):
                    self._add(request)
                case Unregister(key):
                    self._remove(key)
                case Alert() | Moved() | None:
                    _log.debug("nothing to do for %s", message)

    def _add(self, request: PortRequest) -> None:
        grant = self._nat.add_mapping(
            request.protocol, request.external_port, request.internal_port, request.name, request.lifetime
        )
        mapping = Mapping(
            request.protocol,
            request.internal_port,
            grant.external_port,
            lifetime=0,
            external_ip=self._nat.external_ip(),
            name=request.name,
            static=True,
        )
        self._mappings[mapping.key] = mapping
        self._listener.on_event(MappingAdded.of(mapping))

    def _remove(self, key: Key) -> None:
        mapping = self._mappings.pop(key, None)
        if mapping is not None:
            self._listener.on_event(MappingRemoved.of(mapping))
