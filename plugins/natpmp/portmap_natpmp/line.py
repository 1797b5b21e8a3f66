"""Waiting for datagrams, or for time to pass, on one thread, until another hangs up.

Law: whoever waits here is set free at once when the line is hung up; nothing here polls. There is no select() where
the system has better: descriptors above 1023 work.
"""

import socket
from collections.abc import Iterable
from selectors import EVENT_READ, DefaultSelector
from typing import Self

_MAX_DATAGRAM = 65535
_SPURIOUS = 0.01  # seconds; the kernel may announce a datagram and then find its checksum wrong


class HungUp(Exception):
    """The line was hung up: clean up and end."""


class Line:
    """A line between the thread that waits and the one that will end it. A context manager for the former."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ours.close()
        self._theirs.close()

    def hang_up(self) -> None:
        """End every wait, now and later; from any thread. A second time does nothing."""
        self._theirs.close()

    def wait(self, sockets: Iterable[socket.socket] = (), timeout: float | None = None) -> bool:
        """Wait until one of the sockets can be read; False if none could for `timeout` seconds. Raises HungUp."""
        with DefaultSelector() as selector:
            for sock in (self._ours, *sockets):
                selector.register(sock, EVENT_READ)
            ready = [key.fileobj for key, _ in selector.select(timeout)]
        if self._ours in ready:
            raise HungUp
        return bool(ready)

    def receive(self, sock: socket.socket, timeout: float) -> bytes:
        """The next datagram, as `exchange` wants it. Raises TimeoutError, HungUp, or OSError as the socket does."""
        if not self.wait((sock,), timeout):
            raise TimeoutError
        sock.settimeout(_SPURIOUS)
        return sock.recv(_MAX_DATAGRAM)
