"""UdpPort: one UDP port of the simulated router, which hands each datagram to a handler and sends the answers.

Bytes in, bytes out, both through the Impairment. Reactor thread only.
"""

import logging
import os
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from ipaddress import ip_address
from typing import TypeAlias

from portmap.errors import PortmapError
from portmap.simulator.loopback import loopback_address
from portmap.simulator.net.impairment import Impairment
from portmap.simulator.net.reactor import READ, Reactor
from portmap.simulator.state import RouterState

log = logging.getLogger("portmap.testing")
Peer: TypeAlias = tuple[str, int]
Handle: TypeAlias = Callable[[bytes, Peer], Iterable[bytes]]
IP_MULTICAST_ALL = 49  # linux/in.h; 0: only groups joined by this socket, on the interface it joined on
LONGEST = 65535  # no UDP datagram is longer


class UdpPort:
    """Listens on (address, port), port 0 for any. Raises PortmapError where that is taken.

    While `from_other_port` is true, answers leave from another port.
    """

    def __init__(
        self,
        reactor: Reactor,
        where: Peer,
        state: RouterState,
        impairment: Impairment,
        handle: Handle,
        *,
        from_other_port: Callable[[], bool] = lambda: False,
    ) -> None:
        self._reactor, self._state, self._impairment, self._from_other_port = (
            reactor,
            state,
            impairment,
            from_other_port,
        )
        self._address = where[0]
        self._sock = listening(socket.SOCK_DGRAM, where)
        self._receivers: list[socket.socket] = []
        self.port: int = self._sock.getsockname()[1]
        _limit_multicast(self._sock, self._address)
        self.add_socket(self._sock, handle)

    def add_socket(self, sock: socket.socket, handle: Handle) -> None:
        """Handle what arrives on this socket too; answers leave from the first one."""
        self._receivers.append(sock)
        self._reactor.watch(sock, READ, partial(self._ready, sock, handle))

    def close(self) -> None:
        """Handle no more."""
        for sock in self._receivers:
            self._reactor.discard(sock)

    def send(self, data: bytes, where: Peer) -> None:
        """Send something unasked, through the same impairment."""
        self._send(data, where)

    def _ready(self, sock: socket.socket, handle: Handle, _events: int) -> None:
        try:
            data, sender = sock.recvfrom(LONGEST)
        except OSError:  # Windows reports here that an earlier answer could not be delivered
            return
        peer = sender[:2]  # an IPv6 one has four values
        log.debug("<- %s:%d %s", *peer, data.hex())
        if self._impairment.lets_in():
            for answer in handle(data, peer):
                for send in self._impairment.departures(partial(self._send, answer, peer)):
                    self._reactor.later(self._state.quirks.slow, send)

    def _send(self, answer: bytes, peer: Peer) -> None:
        data = self._impairment.apply_to_datagram(answer)
        if data is None or self._sock.fileno() < 0:  # dropped or lost, or the router has closed
            return
        log.debug("-> %s:%d %s", *peer, data.hex())
        with suppress(OSError), self._sender() as sender:  # UDP promises nothing: a peer that is gone is no fault here
            sender.sendto(data, peer)

    @contextmanager
    def _sender(self) -> Iterator[socket.socket]:
        """The socket from which an answer leaves."""
        if not (self._state.quirks.wrong_sender or self._from_other_port()):
            yield self._sock
            return
        elsewhere = self._state.quirks.wrong_sender and ":" not in self._address  # IPv6 has one loopback address
        address = loopback_address() if elsewhere else self._address
        with closing(listening(socket.SOCK_DGRAM, (address, 0))) as other:
            yield other


def _limit_multicast(sock: socket.socket, address: str) -> None:
    """Multicast leaves by this address's interface and is not forwarded; from loopback it stays on the host."""
    hops = 0 if ip_address(address).is_loopback else 1
    if ":" in address:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, hops)
        return
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, hops)


def listening(kind: socket.SocketKind, where: Peer) -> socket.socket:
    """A non-blocking socket on (address, port). Raises PortmapError where it cannot be had."""
    if ":" in where[0] and not socket.has_dualstack_ipv6():
        raise PortmapError(f"the simulated router cannot listen on {where[0]}: this host has no IPv6")
    sock = socket.socket(socket.AF_INET6 if ":" in where[0] else socket.AF_INET, kind)
    try:
        sock.setblocking(False)
        if kind == socket.SOCK_STREAM and os.name == "posix":  # elsewhere it would let two listen at once
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(where)
        if kind == socket.SOCK_STREAM:
            sock.listen()
    except (OSError, OverflowError) as error:  # Overflow: a port that cannot be
        sock.close()
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else error
        text = f"the simulated router cannot listen on {where[0]} port {where[1]} ({reason}): try another"
        raise PortmapError(text) from error
    return sock


def joined(group: str, port: int, interface: str) -> socket.socket:
    """A socket that receives what is multicast to the group on the interface that has this address, and nothing else.

    Raises PortmapError where that cannot be had.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((group, port))
        if sys.platform == "linux":
            sock.setsockopt(socket.IPPROTO_IP, IP_MULTICAST_ALL, 0)
        membership = socket.inet_aton(group) + socket.inet_aton(interface)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
    except OSError as error:
        sock.close()
        raise PortmapError(f"cannot join {group} port {port} on {interface} ({error})") from error
    return sock
