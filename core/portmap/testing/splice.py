"""One TCP connection through the simulated router: two sockets, bytes both ways, each end's end passed on.

Law: bytes are read only when nothing waits to be written on the other side, so a slow reader slows the writer, not the
router. Any socket error ends both sides. Runs on the reactor's thread.
"""

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from portmap.testing.datagrams import Peer
from portmap.testing.reactor import READ, WRITE, Reactor

GULP = 65536


class Splice:
    """Joins a connection from outside with a new one to the internal client; calls `ended` once it is over."""

    def __init__(self, reactor: Reactor, outer: socket.socket, client: Peer, ended: Callable[["Splice"], None]) -> None:
        self._reactor, self._ended = reactor, ended
        inner = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._other = {outer: inner, inner: outer}
        self._waiting = {outer: b"", inner: b""}
        self._reading = {outer, inner}
        self._connecting: socket.socket | None = inner
        for sock in self._other:
            sock.setblocking(False)
        inner.connect_ex(client)  # its outcome shows when the socket becomes writable
        self._watch()

    def close(self) -> None:
        """Cut both sides."""
        for sock in self._other:
            self._reactor.discard(sock)
        self._ended(self)

    def _ready(self, sock: socket.socket, events: int) -> None:
        try:
            if sock is self._connecting:
                self._connected(sock)
            elif events & WRITE:
                self._write(sock)
            if events & READ:
                self._read(sock)
        except OSError:
            self.close()
        else:
            self._watch()

    def _connected(self, sock: socket.socket) -> None:
        error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, os.strerror(error))
        self._connecting = None

    def _read(self, sock: socket.socket) -> None:
        data = sock.recv(GULP)
        if not data:
            self._reading.discard(sock)
        self._waiting[self._other[sock]] = data
        self._write(self._other[sock])

    def _write(self, sock: socket.socket) -> None:
        with suppress(BlockingIOError):
            self._waiting[sock] = self._waiting[sock][sock.send(self._waiting[sock]) :]
        if not self._waiting[sock] and self._other[sock] not in self._reading:
            sock.shutdown(socket.SHUT_WR)

    def _watch(self) -> None:
        """Wait for what each side can do next; with nothing left to do on either side it is over."""
        if not self._reading and not any(self._waiting.values()):
            self.close()
            return
        for sock in self._other:
            self._reactor.watch(sock, self._interest(sock), partial(self._ready, sock))

    def _interest(self, sock: socket.socket) -> int:
        if self._connecting is not None:
            return WRITE if sock is self._connecting else 0
        reads = sock in self._reading and not self._waiting[self._other[sock]]
        return (READ if reads else 0) | (WRITE if self._waiting[sock] else 0)
