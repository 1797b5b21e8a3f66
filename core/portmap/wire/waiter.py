"""Waiting for sockets, or for time to pass, on one thread, until another one nudges it or hangs up.

Law: whoever waits here is set free at once when the line is hung up; nothing here polls, no lock is held. There is no
select() where the system has better: descriptors above 1023 work.
"""

import socket
from collections.abc import Collection
from contextlib import suppress
from math import inf
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from typing import Self

_NUDGE = b"n"
_MAX_DATAGRAM = 65535
_SPURIOUS = 0.01  # seconds; the kernel may announce a datagram and then find its checksum wrong


class WaiterClosed(Exception):
    """The line was hung up: clean up and end."""


class Waiter:
    """A line between the thread that waits, for which it is a context manager, and the others."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        self._theirs.setblocking(False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ours.close()
        self._theirs.close()

    def wake(self) -> None:
        """There is something new to look at: end the wait that is, or the next one. From any thread."""
        with suppress(OSError):  # hung up, or nudged so often already that no more goes in
            self._theirs.send(_NUDGE)

    def close(self) -> None:
        """End every wait, now and later; from any thread. A second time does nothing."""
        self._theirs.close()

    def wait(
        self,
        readers: Collection[socket.socket] = (),
        timeout: float = inf,
        *,
        writer: socket.socket | None = None,
    ) -> frozenset[socket.socket]:
        """Wait up to `timeout` seconds until one of the sockets is ready, or for a nudge; those that are ready.

        Raises HungUp.
        """
        with DefaultSelector() as selector:
            selector.register(self._ours, EVENT_READ)
            for sock in readers:
                selector.register(sock, EVENT_READ)
            if writer:
                selector.register(writer, EVENT_WRITE)
            ready = frozenset(
                key.fileobj
                for key, _ in selector.select(None if timeout == inf else timeout)
                if isinstance(key.fileobj, socket.socket)
            )
        if self._ours in ready and not self._ours.recv(1024):
            raise WaiterClosed
        return ready - {self._ours}

    def receive(self, sock: socket.socket, timeout: float) -> bytes:
        """The next datagram, as `exchange` wants it. Raises TimeoutError, HungUp, or OSError as the socket does."""
        if not self.wait((sock,), timeout):
            raise TimeoutError
        sock.settimeout(_SPURIOUS)
        return sock.recv(_MAX_DATAGRAM)
