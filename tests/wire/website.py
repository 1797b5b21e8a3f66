"""A small web site on loopback: keeps every request, and answers as it is told, byte for byte."""

import socket
import ssl
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
LONG = 10.0  # seconds that a connection may last
BUFFER = 64 * 1024  # bytes that wait here at the most, so that `sent` tells what the client took


@dataclass(frozen=True, slots=True)
class Request:
    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class WebSite:
    """`answer`: the bytes of every answer, one each `drip` seconds; none at all where it is empty.

    `flood`: sent after the answer for ever, until the client hangs up; `sent` counts its bytes.
    """

    answer: bytes = OK
    drip: float = 0.0
    flood: bytes = b""
    sent: int = 0
    context: ssl.SSLContext | None = None
    requests: list[Request] = field(default_factory=list)
    port: int = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def start(self) -> None:
        """On the same port as before, if there was one."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        self._ended = threading.Event()
        threading.Thread(target=self._serve, args=(self._listener, self._ended), daemon=True).start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._ended.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept
        self._listener.close()

    @property
    def url(self) -> str:
        return f"{'https' if self.context else 'http'}://127.0.0.1:{self.port}"

    def _serve(self, listener: socket.socket, ended: threading.Event) -> None:
        while not ended.is_set():
            try:
                link, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._attend, args=(link,), daemon=True).start()

    def _attend(self, link: socket.socket) -> None:
        link.settimeout(LONG)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        with suppress(OSError), link:
            if self.context:
                link = self.context.wrap_socket(link, server_side=True)
            with link:
                self.requests.append(_read(link))
                self._say(link)

    def _say(self, link: socket.socket) -> None:
        if not self.drip:
            link.sendall(self.answer)
        for byte in self.answer if self.drip else b"":
            link.sendall(bytes([byte]))
            time.sleep(self.drip)
        while self.flood and not self._ended.is_set():
            self.sent += link.send(self.flood)
        if not self.answer:
            self._ended.wait(LONG)


def _read(link: socket.socket) -> Request:
    with link.makefile("rb") as stream:
        line = stream.readline().decode("latin-1").strip()
        headers: dict[str, str] = {}
        if "HTTP/" not in line:
            return Request(line, headers, b"")
        while header := stream.readline().decode("latin-1").strip():
            name, _, value = header.partition(":")
            headers[name.lower()] = value.strip()
        return Request(line, headers, stream.read(int(headers.get("content-length", 0))))
