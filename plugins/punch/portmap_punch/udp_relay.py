"""UdpRelay: hands datagrams of peers to the application, and its answers back. Engine thread only. Bounded.

The application sees this host as their source: one local socket for each peer, so that answers find the way back.
Senders can be forged: where there is no room for another peer, the one that was silent for longest gives way.
"""

import asyncio
import errno
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from portmap.wire.exchange import Peer
from portmap_punch.tcp_relay import is_reserved

IDLE = 120.0  # seconds: RFC 4787 §4.3, REQ-5
MAX_PEERS = 1024
_LONGEST = 65535


@dataclass(slots=True)
class UdpRelay:
    """The peers' sockets towards the application; `answer` sends a datagram to a peer from the hole."""

    loop: asyncio.AbstractEventLoop
    application: Peer
    answer: Callable[[bytes, Peer], object]
    max_peers: int = MAX_PEERS
    _sockets: dict[Peer, socket.socket] = field(default_factory=dict)
    _used: dict[Peer, float] = field(default_factory=dict)

    def deliver(self, datagram: bytes, peer: Peer) -> None:
        """Hand one on. What the application does not take is lost, as UDP loses it."""
        with suppress(OSError):
            self._socket(peer).send(datagram)

    def close(self) -> None:
        """Forget every peer."""
        for peer in tuple(self._sockets):
            self._forget(peer)

    def forget_idle(self) -> None:
        """Forget the peers that were silent for too long, both ways."""
        limit = self.loop.time() - IDLE
        for peer in [peer for peer, used in self._used.items() if used < limit]:
            self._forget(peer)

    def _socket(self, peer: Peer) -> socket.socket:
        sock = self._sockets.get(peer)
        if sock is None:
            if len(self._sockets) >= self.max_peers:
                self._forget_longest_silent()
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            if is_reserved(sock):
                sock.close()
                self._forget_longest_silent()
                sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.setblocking(False)
            sock.connect(self.application)
            self._sockets[peer] = sock
            self.loop.add_reader(sock, partial(self._return, peer, sock))
        self._used[peer] = self.loop.time()
        return sock

    def _return(self, peer: Peer, sock: socket.socket) -> None:
        with suppress(OSError):  # nothing listens there just now
            self.answer(sock.recv(_LONGEST), peer)
            self._used[peer] = self.loop.time()

    def _forget_longest_silent(self) -> None:
        """Raises OSError where there is no peer that could give way."""
        if not self._used:
            raise OSError(errno.EMFILE, "the other descriptors are not a relay's")
        self._forget(min(self._used, key=self._used.__getitem__))

    def _forget(self, peer: Peer) -> None:
        self._used.pop(peer, None)
        sock = self._sockets.pop(peer, None)
        if sock is not None:
            self.loop.remove_reader(sock)
            sock.close()
