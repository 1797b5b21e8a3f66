"""TemporaryListener: a socket that listens on a port for a moment, where no program does. It sends nothing."""

import selectors
import socket
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from portmap.errors import PortmapError
from portmap.model import Address, Protocol

_LONGEST = 2048  # bytes of a datagram
_MOST = 64  # connections or datagrams that are looked at


class TemporaryListener:
    """Listens on all addresses of one IP version, or on `address`. A context manager.

    Raises PortmapError where the port cannot be had.
    """

    def __init__(self, protocol: Protocol, port: int, address: str = "", *, ipv6: bool = False) -> None:
        self._protocol = protocol
        kind = socket.SOCK_STREAM if protocol is Protocol.TCP else socket.SOCK_DGRAM
        self._sock = socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET, kind)
        try:
            if protocol is Protocol.TCP:
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if ipv6:
                self._sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            self._sock.setblocking(False)
            self._sock.bind((address, port))
            if protocol is Protocol.TCP:
                self._sock.listen(_MOST)
        except OSError as error:
            self._sock.close()
            raise PortmapError(f"{protocol} port {port} cannot be listened on: {error.strerror or error}") from error
        self.port: int = self._sock.getsockname()[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sock.close()

    def received(self, token: bytes, seconds: float) -> bool:
        """Whether a datagram with this token comes within `seconds`."""
        return self._wait(seconds, lambda: token in self._sock.recv(_LONGEST))

    def accepted(self, peers: frozenset[Address], seconds: float) -> bool:
        """Whether a connection comes within `seconds`; from one of these peers, where any are given."""
        return self._wait(seconds, lambda: self._accept(peers))

    def _accept(self, peers: frozenset[Address]) -> bool:
        connection, peer = self._sock.accept()
        connection.close()
        return not peers or str(peer[0]).partition("%")[0] in {str(it) for it in peers}

    def _wait(self, seconds: float, is_it: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self._sock, selectors.EVENT_READ)
            for _ in range(_MOST):
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    return False
                try:
                    if is_it():
                        return True
                except OSError:  # the connection was gone before it was accepted
                    continue
        return False
