"""Waiter: waits for sockets or for time on one thread, until another thread wakes or ends it.

A wait ends at once when the waiter is closed; nothing polls, and no lock is held. There is no select() where the system
has better: descriptors above 1023 work.
"""

import socket
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from math import inf
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from typing import Self

_WAKE = b"w"
_MAX_DATAGRAM = 65535
_SPURIOUS = 0.01  # seconds; the kernel may announce a datagram and then find its checksum wrong


class WaiterClosed(Exception):
    """The waiter was closed: clean up and end."""


class Waiter:
    """Used by one thread to wait, as a context manager, and by others to wake it."""

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
        """End the present wait, or the next one. From any thread."""
        with suppress(OSError):  # closed, or woken so often already that no more goes in
            self._theirs.send(_WAKE)

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
        """Wait up to `timeout` seconds until a socket is ready or `wake` is called; returns the sockets that are ready.

        Raises WaiterClosed.
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

    def pause(self, seconds: float, ends_early: Callable[[], object] = lambda: False) -> None:
        """Let time pass, however often it is woken, or until `ends_early` holds. Raises WaiterClosed."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not ends_early():
            self.wait(timeout=left)

    def receive(self, sock: socket.socket, timeout: float) -> bytes:
        """The next datagram, as `exchange` wants it. Raises TimeoutError, WaiterClosed or OSError."""
        if not self.wait((sock,), timeout):
            raise TimeoutError
        sock.settimeout(_SPURIOUS)
        return sock.recv(_MAX_DATAGRAM)
