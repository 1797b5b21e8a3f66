"""A web server on loopback that answers each visitor with whatever bytes it holds at the moment."""

import socket
from contextlib import closing, suppress
from threading import Thread

_TIMEOUT = 5.0  # seconds for one visitor


class Peer:
    """One visitor at a time, for as long as the process lives. `response` is what the next one gets."""

    def __init__(self) -> None:
        self.response = b""
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]
        Thread(target=self._serve, name="fuzz peer", daemon=True).start()

    def _serve(self) -> None:
        while True:
            visitor, _ = self._door.accept()
            with closing(visitor), suppress(OSError):  # visitors leave when they have enough
                visitor.settimeout(_TIMEOUT)
                self._answer(visitor)

    def _answer(self, visitor: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            if not (more := visitor.recv(4096)):
                return
            request += more
        visitor.sendall(self.response)
        visitor.shutdown(socket.SHUT_WR)
        while visitor.recv(4096):  # until the visitor leaves: closing first would throw away what it has not read yet
            pass
