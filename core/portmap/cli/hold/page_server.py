"""A small HTTP server for one page of text, bounded in connections, time and memory.

Rules:
- One thread serves every connection. At most `CONNECTIONS` are open; a new one displaces the oldest.
- A connection has `DEADLINE` seconds in all, from its first byte to its last.
- The Host header must be an IP address or `localhost`: a web page that had its name rebound to this host cannot read
  the page (DNS rebinding).
"""

import logging
import re
import socket
import threading
import time
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from typing import NamedTuple

CONNECTIONS = 8  # at once; Prometheus needs one
DEADLINE = 5.0  # seconds for one connection; Prometheus gives up after 10 by default
MAX_HEAD = 8192  # bytes of a request's head; Apache's and nginx's usual limit
_PATHS = ("/", "/metrics")
_READ = 4096  # bytes at a time
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_NO_ROOM = 0.2  # seconds; to wait after accept() failed: the process has no descriptor left
_log = logging.getLogger("portmap.metrics")


class Page(NamedTuple):
    """A page and its media type."""

    body: bytes
    content_type: str


MakePage = Callable[[str], Page]
"""The value of the request's Accept header to the page."""


class HTTPFault(Exception):
    """The request gets this status instead of the page."""

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status


def parse_request(head: bytes) -> tuple[str, str]:
    """(method, Accept header) of a request for the page. Pure. Raises HTTPFault for every other request."""
    first, *lines = head.decode("latin-1").splitlines() or [""]
    match first.split(" "):
        case [method, path, version] if version.startswith("HTTP/1."):
            pass
        case _:
            raise HTTPFault("400 Bad Request")
    fields = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    hosts = [value for name, value in fields if name == "host"]
    if len(hosts) != 1 or not is_local_host(hosts[0]):
        raise HTTPFault("400 Bad Request")
    if method not in ("GET", "HEAD"):
        raise HTTPFault("405 Method Not Allowed")
    if path.partition("?")[0] not in _PATHS:
        raise HTTPFault("404 Not Found")
    return method, next((value for name, value in fields if name == "accept"), "")


def is_local_host(value: str) -> bool:
    """Whether a Host header is an IP address or `localhost`, with or without a port. Pure."""
    found = re.fullmatch(
        r"(?:(localhost)|\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::\d{0,5})?", value, re.IGNORECASE | re.ASCII
    )
    if not found:
        return False
    name, six, four = found.groups()
    try:
        return bool(name or (IPv6Address(six) if six else IPv4Address(four)) is not None)
    except ValueError:
        return False


def answer_of(head: bytes, make_page: MakePage) -> bytes:
    """The whole answer to a request's head."""
    try:
        method, accept = parse_request(head)
    except HTTPFault as fault:
        text = f"{fault.status}\n".encode()
        return _head_of(fault.status, "text/plain; charset=utf-8", len(text)) + text
    page = make_page(accept)
    return _head_of("200 OK", page.content_type, len(page.body)) + (page.body if method == "GET" else b"")


def _head_of(status: str, content_type: str, length: int) -> bytes:
    fields = (
        f"HTTP/1.1 {status}",
        f"Content-Type: {content_type}",
        f"Content-Length: {length}",
        "Connection: close",
        "X-Content-Type-Options: nosniff",
    )
    return "\r\n".join(fields).encode("latin-1") + b"\r\n\r\n"


class _Connection:
    """One client: what it has sent, and what it is still to be sent."""

    def __init__(self, sock: socket.socket, end: float) -> None:
        self.sock = sock
        self.end = end
        self.answer = b""
        self._head = b""

    def step(self, make_page: MakePage) -> bool:
        """Read or write what goes without waiting; whether the connection goes on. Raises OSError."""
        try:
            if not self.answer:
                return self._read(make_page)
            self.answer = self.answer[self.sock.send(self.answer) :]
        except BlockingIOError:
            return True
        return bool(self.answer)

    def _read(self, make_page: MakePage) -> bool:
        data = self.sock.recv(_READ)
        searched_from = max(0, len(self._head) - 3)  # only new bytes are searched
        self._head += data
        if end := _END_OF_HEAD.search(self._head, searched_from):
            self.answer = answer_of(self._head[: end.start()], make_page)
            return True
        return bool(data) and len(self._head) <= MAX_HEAD


class PageServer:
    """Serves the page at a listening socket, which it closes, from its making until `close`."""

    def __init__(self, listener: socket.socket, make_page: MakePage) -> None:
        listener.setblocking(False)
        self._listener = listener
        self._make_page = make_page
        self._selector = DefaultSelector()
        self._ours, self._theirs = socket.socketpair()
        self._open: dict[socket.socket, _Connection] = {}  # the oldest first
        self._selector.register(self._ours, EVENT_READ)
        self._selector.register(listener, EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="portmap metrics", daemon=True)
        self._thread.start()

    def close(self, timeout: float) -> None:
        """End it; returns when the thread has ended, or after `timeout` seconds. A second time does nothing."""
        self._theirs.close()
        self._thread.join(timeout)

    def _run(self) -> None:
        with self._selector, self._listener, self._ours:
            while self._serve():
                pass
            for sock in tuple(self._open):
                self._drop(sock)

    def _serve(self) -> bool:
        """One round; whether there shall be another."""
        first_end = min((it.end for it in self._open.values()), default=None)
        timeout = None if first_end is None else max(0.0, first_end - time.monotonic())
        ready = {key.fileobj for key, _ in self._selector.select(timeout)}
        for connection in [it for it in self._open.values() if it.sock in ready]:
            self._attend(connection)
        if self._listener in ready:
            self._accept()
        now = time.monotonic()
        for sock in [sock for sock, it in self._open.items() if it.end <= now]:
            self._drop(sock)
        return self._ours not in ready

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except BlockingIOError:
            return
        except OSError as error:
            _log.info("a connection could not be accepted: %s", error)
            time.sleep(_NO_ROOM)
            return
        if len(self._open) >= CONNECTIONS:
            self._drop(next(iter(self._open)))
        sock.setblocking(False)
        self._selector.register(sock, EVENT_READ)
        self._open[sock] = _Connection(sock, time.monotonic() + DEADLINE)

    def _attend(self, connection: _Connection) -> None:
        try:
            goes_on = connection.step(self._make_page)
        except OSError as error:
            _log.debug("a client has gone: %s", error)
            goes_on = False
        if not goes_on:
            self._drop(connection.sock)
        elif connection.answer:
            self._selector.modify(connection.sock, EVENT_WRITE)

    def _drop(self, sock: socket.socket) -> None:
        del self._open[sock]
        self._selector.unregister(sock)
        sock.close()
