"""EventSender: delivers events to their subscribers, one short HTTP request each.

One at a time for each callback, so that events arrive in their order; an event that is not taken within `TIMEOUT` is
lost. Subscribers do not wait for each other. Reactor thread only.
"""

import logging
import socket
from collections import deque
from collections.abc import Callable

from portmap.simulator.net.reactor import READ, WRITE, Reactor
from portmap.simulator.net.udp_port import Peer
from portmap.simulator.upnp.gena import Callback, EventMessage

log = logging.getLogger("portmap.testing")
TIMEOUT = 2.0  # seconds for one delivery; UDA 1.1 §4.3.2 grants 30
MOST_WAITING = 100  # events; what comes on top is lost


class EventSender:
    """Sends event messages from an address."""

    def __init__(self, reactor: Reactor, address: str) -> None:
        self._reactor, self._address = reactor, address
        self._waiting: dict[Callback, deque[EventMessage]] = {}
        self._under_way: dict[Callback, Delivery] = {}

    def send(self, message: EventMessage) -> None:
        """Send it once those before it are through."""
        queue = self._waiting.setdefault(message.callback, deque(maxlen=MOST_WAITING))
        queue.append(message)
        if message.callback not in self._under_way:
            self._next(message.callback)

    def close(self) -> None:
        """Send no more."""
        self._waiting.clear()
        for delivery in tuple(self._under_way.values()):
            delivery.close()

    def _next(self, callback: Callback) -> None:
        queue = self._waiting.get(callback)
        if not queue:
            self._waiting.pop(callback, None)
            return
        message = queue.popleft()
        where = (callback.host, callback.port)
        self._under_way[callback] = Delivery(
            self._reactor, self._address, where, message.data, lambda: self._over(callback)
        )

    def _over(self, callback: Callback) -> None:
        self._under_way.pop(callback, None)
        self._next(callback)


class Delivery:
    """One request; `over` is called once, however it ends."""

    def __init__(self, reactor: Reactor, source: str, where: Peer, data: bytes, over: Callable[[], None]) -> None:
        self._reactor, self._data, self._over = reactor, data, over
        self._open = True
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._sock.setblocking(False)
        self._sock.bind((source, 0))
        self._sock.connect_ex(where)  # its outcome shows when the socket becomes writable
        log.debug("-> %s:%d %s", *where, data.decode("latin-1"))
        reactor.watch(self._sock, WRITE, self._ready)
        reactor.later(TIMEOUT, self.close)

    def close(self) -> None:
        """End it."""
        if self._open:
            self._open = False
            self._reactor.discard(self._sock)
            self._over()

    def _ready(self, events: int) -> None:
        try:
            if events & WRITE:
                self._data = self._data[self._sock.send(self._data) :]
                if not self._data:
                    self._reactor.watch(self._sock, READ, self._ready)
            else:  # an answer, which says nothing that we need, or the end
                self._sock.recv(4096)
                self.close()
        except OSError as error:
            log.debug("an event was not taken: %s", error)
            self.close()
