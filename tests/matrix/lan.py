"""The LAN around a simulated router: a service worth reaching, a neighbour, and a host outside that tries to reach it.

All of it on loopback. Bytes that come back are the only proof of a mapping; of a pinhole, the router's word.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer, ThreadingUDPServer

from portmap.model import Protocol
from portmap.simulator.pinhole_table import Pinhole
from portmap.testing import Entry, Router

NEIGHBOUR = Entry(Protocol.TCP, 30304, "127.0.0.9", 9, 0, "neighbour")
"""Another host's mapping, on the port that a router would give next."""
GREETING = b"from inside: "
TIMEOUT = 2.0  # seconds until what has not come back is lost; UDP is sent again meanwhile
_TRIES = 3


class _TcpEcho(BaseRequestHandler):
    def handle(self) -> None:
        with suppress(OSError):  # the caller may have left
            self.request.sendall(GREETING + self.request.recv(64))


class _UdpEcho(BaseRequestHandler):
    def handle(self) -> None:
        data, sock = self.request
        sock.sendto(GREETING + data, self.client_address)


class _TcpServer(ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64


class _UdpServer(ThreadingUDPServer):
    daemon_threads = True


@contextmanager
def service() -> Iterator[int]:
    """A service of this host, on one port by TCP and by UDP; the port."""
    with _TcpServer(("127.0.0.1", 0), _TcpEcho) as tcp:
        port: int = tcp.server_address[1]
        with _UdpServer(("127.0.0.1", port), _UdpEcho) as udp:
            servers = (tcp, udp)
            threads = [threading.Thread(target=it.serve_forever, args=(0.05,), daemon=True) for it in servers]
            for thread in threads:
                thread.start()
            yield port
            for server, thread in zip(servers, threads, strict=True):
                server.shutdown()
                thread.join()


def reached(router: Router, protocol: Protocol, external_port: int) -> bool:
    """Whether bytes sent from outside arrive inside, and the answer outside."""
    kind = socket.SOCK_STREAM if protocol is Protocol.TCP else socket.SOCK_DGRAM
    with closing(socket.socket(socket.AF_INET, kind)) as caller:
        caller.settimeout(TIMEOUT / _TRIES if protocol is Protocol.UDP else TIMEOUT)
        return any(_greets(caller, (router.outside, external_port)) for _ in range(_TRIES))


def _greets(caller: socket.socket, where: tuple[str, int]) -> bool:
    try:
        if caller.type == socket.SOCK_STREAM:
            caller.connect(where)
            caller.sendall(b"hello")
        else:
            caller.sendto(b"hello", where)
        return caller.recv(64) == GREETING + b"hello"
    except OSError:
        return False


def add_entry(router: Router, entry: Entry = NEIGHBOUR) -> None:
    """Enter a mapping as if another host had made it."""
    router._sockets.reactor.run(lambda: router._state.table.put(entry))


def ours(router: Router, internal_port: int) -> tuple[Entry, ...]:
    """What leads to our service now."""
    return tuple(entry for entry in router.entries if entry.internal_port == internal_port)


def pinholes(router: Router, port: int) -> tuple[Pinhole, ...]:
    """The same by IPv6."""
    return tuple(pinhole for pinhole in router.pinholes if pinhole.port == port)


def let_in(router: Router, protocol: Protocol, port: int) -> bool:
    """Whether the router's firewall says that it lets every host in; on ::1 bytes would arrive anyway."""
    return any(it.protocol is protocol and not it.remote and not it.remote_port for it in pinholes(router, port))
