"""Hairpinning (RFC 4787 §6): a connection from this host to its own external address and port, turned by the router.

A connection that arrives here proves the router's rule. An answer alone is not enough: the router itself may
have a service at that port. So the proof is the host's own socket table, or a socket of ours that received it.
"""

import socket
import time
from contextlib import closing
from dataclasses import dataclass
from ipaddress import IPv4Address

from portmap.errors import NoGateway
from portmap.model import Address, Scope, scope_of
from portmap.network.listening_sockets import Connection, connections_to
from portmap.network.routes import bind_towards, default_gateways, is_on_link
from portmap.reachability.observations import HairpinResult
from portmap.reachability.temporary_listener import TemporaryListener

CONNECT = 2.0  # seconds; the router is one hop away
ARRIVAL = 0.5  # seconds until the host's table shows what arrived


def hairpin_tcp(
    external: tuple[Address, int], internal_port: int, listener: TemporaryListener | None, interface: str | None = None
) -> HairpinResult:
    """Connect to the external address. Where no program listens, `listener` tells whether the connection arrived.

    `interface`: the one of this host to connect by; None: the routing table decides.
    """
    before = connections_to(internal_port)
    began = time.monotonic()
    try:
        link = _socket(socket.SOCK_STREAM, external, interface)
    except (OSError, NoGateway) as error:
        return HairpinResult(proved=False, detail=f"no connection ({_words(error)}): many routers do not loop back")
    with closing(link):
        ms = round((time.monotonic() - began) * 1000)
        if listener is not None:
            arrived = listener.accepted(frozenset(), ARRIVAL)
        elif before is None:
            return HairpinResult(
                proved=False, detail="something answered; this system does not tell whether it was this host"
            )
        else:
            came_back = CameBack(external[0], link.getsockname(), tuple(default_gateways(interface)))
            arrived = _arrived(before, internal_port, came_back)
    return (
        HairpinResult(proved=True, ms=ms)
        if arrived
        else HairpinResult(proved=False, detail="something answered, but not this host")
    )


def hairpin_udp(
    external: tuple[Address, int], token: bytes, listener: TemporaryListener, interface: str | None = None
) -> HairpinResult:
    """Send a datagram with the token to the external address; `listener` tells whether it arrived.

    `interface`: the one of this host to send by; None: the routing table decides.
    """
    began = time.monotonic()
    try:
        with _socket(socket.SOCK_DGRAM, external, interface) as sender:
            sender.send(token)
    except (OSError, NoGateway) as error:
        return HairpinResult(proved=False, detail=f"no datagram could be sent ({_words(error)})")
    if listener.received(token, ARRIVAL):
        return HairpinResult(proved=True, ms=round((time.monotonic() - began) * 1000))
    return HairpinResult(proved=False, detail="the datagram did not arrive: many routers do not loop back")


def _socket(kind: socket.SocketKind, external: tuple[Address, int], interface: str | None) -> socket.socket:
    """A socket that is connected to the external address. Raises OSError and NoGateway."""
    address, port = external
    sock = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, kind)
    try:
        sock.settimeout(CONNECT)
        bind_towards(sock, address, interface)
        sock.connect((str(address), port))
    except BaseException:  # a stop, too: no other code closes the socket
        sock.close()
        raise
    return sock


def _words(error: OSError | NoGateway) -> str:
    return str(getattr(error, "strerror", None) or error)


@dataclass(frozen=True, slots=True)
class CameBack:
    """Tells whether a connection may be the one that this host made to its `external` address from `ours`.

    A router that loops back leaves its source as it is, or puts an address of a router there: the external one, its
    own, or that of a router behind another one. A program on this host or on a neighbour connects by itself.
    """

    external: Address
    ours: tuple[str, int]
    routers: tuple[Address, ...]

    def may_be(self, connection: Connection) -> bool:
        """Whether it may be that one."""
        peer = connection.peer
        if str(peer) == self.ours[0]:
            return connection.peer_port == self.ours[1]
        if peer == self.external or peer in self.routers:
            return True
        if scope_of(peer) is Scope.PUBLIC or peer.is_loopback:
            return False
        return not (isinstance(peer, IPv4Address) and is_on_link(peer))


def _arrived(before: frozenset[Connection], port: int, came_back: CameBack) -> bool:
    """Whether the host's table shows a new connection that may be this one."""
    deadline = time.monotonic() + ARRIVAL
    while True:
        new = (connections_to(port) or frozenset()) - before
        if any(map(came_back.may_be, new)):
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)
