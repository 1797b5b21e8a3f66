"""Does the router loop back: a connection from this host to its own external address and port.

A connection that arrives here proves the router's rule. An answer alone is not enough: the router itself may
have a service at that port. So the proof is the host's own socket table, or a socket of ours that received it.
"""

import socket
import time
from contextlib import closing

from portmap.errors import NoGateway
from portmap.model import Address, Scope, scope_of
from portmap.network.listening_sockets import Connection, connections_to
from portmap.network.routes import bind_towards
from portmap.reachability.observations import LoopbackResult
from portmap.reachability.stand_in import StandIn

CONNECT = 2.0  # seconds; the router is one hop away
ARRIVAL = 0.5  # seconds until the host's table shows what arrived


def loop_tcp(
    external: tuple[Address, int], internal_port: int, stand_in: StandIn | None, interface: str | None = None
) -> LoopbackResult:
    """Connect to the external address. Where no program listens, `stand_in` tells whether the connection arrived.

    `interface`: the one of this host to connect by; None: the routing table decides.
    """
    before = connections_to(internal_port)
    began = time.monotonic()
    try:
        link = _socket(socket.SOCK_STREAM, external, interface)
    except (OSError, NoGateway) as error:
        return LoopbackResult(proved=False, detail=f"no connection ({_words(error)}): many routers do not loop back")
    with closing(link):
        ms = round((time.monotonic() - began) * 1000)
        if stand_in is not None:
            arrived = stand_in.accepted(frozenset(), ARRIVAL)
        elif before is None:
            return LoopbackResult(
                proved=False, detail="something answered; this system does not tell whether it was this host"
            )
        else:
            arrived = _arrived(before, internal_port, external[0], link.getsockname())
    return (
        LoopbackResult(proved=True, ms=ms)
        if arrived
        else LoopbackResult(proved=False, detail="something answered, but not this host")
    )


def loop_udp(
    external: tuple[Address, int], token: bytes, stand_in: StandIn, interface: str | None = None
) -> LoopbackResult:
    """Send a datagram with the token to the external address; `stand_in` tells whether it arrived.

    `interface`: the one of this host to send by; None: the routing table decides.
    """
    began = time.monotonic()
    try:
        with _socket(socket.SOCK_DGRAM, external, interface) as sender:
            sender.send(token)
    except (OSError, NoGateway) as error:
        return LoopbackResult(proved=False, detail=f"no datagram could be sent ({_words(error)})")
    if stand_in.received(token, ARRIVAL):
        return LoopbackResult(proved=True, ms=round((time.monotonic() - began) * 1000))
    return LoopbackResult(proved=False, detail="the datagram did not arrive: many routers do not loop back")


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


def _arrived(before: frozenset[Connection], port: int, external: Address, ours: tuple[str, int]) -> bool:
    """Whether the host's table shows a new connection that may be this one: not one from a host on the Internet."""
    deadline = time.monotonic() + ARRIVAL
    while True:
        new = (connections_to(port) or frozenset()) - before
        if any(_is_from_inside(connection, external, ours) for connection in new):
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)


def _is_from_inside(connection: Connection, external: Address, ours: tuple[str, int]) -> bool:
    if str(connection.peer) == ours[0]:
        return connection.peer_port == ours[1]
    return connection.peer == external or scope_of(connection.peer) is not Scope.PUBLIC
