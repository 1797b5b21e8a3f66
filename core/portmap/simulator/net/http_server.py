"""HttpServer: the HTTP port of the simulated router, which hands each request to a handler and sends the response.

Responses pass the Impairment. One request a connection. Reactor thread only.
"""

import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeAlias

from portmap.simulator.net import http
from portmap.simulator.net.impairment import Impairment
from portmap.simulator.net.reactor import READ, WRITE, Reactor
from portmap.simulator.net.udp_port import Peer, listening
from portmap.simulator.state import RouterState
from portmap.simulator.upnp.page_quirks import spelt

log = logging.getLogger("portmap.testing")
Serve: TypeAlias = Callable[[http.WebRequest, str], http.WebResponse]
CHUNK = 65536
LOGGED = 4096  # bytes of a page that go to the log


class HttpServer:
    """Listens on (address, port), port 0 for any. Raises PortmapError where that is taken."""

    def __init__(self, reactor: Reactor, where: Peer, state: RouterState, impairment: Impairment, serve: Serve) -> None:
        self.reactor, self.state, self.impairment, self.serve = reactor, state, impairment, serve
        self._listener = listening(socket.SOCK_STREAM, where)
        self._connections: set[HttpConnection] = set()
        self.address, self.port = where[0], int(self._listener.getsockname()[1])
        reactor.watch(self._listener, READ, self._accept)

    def close_connections(self) -> None:
        """Cut every connection."""
        for connection in tuple(self._connections):
            connection.close()

    def close(self) -> None:
        """Listen no more, and cut every connection."""
        self.reactor.discard(self._listener)
        self.close_connections()

    def discard(self, connection: "HttpConnection") -> None:
        """The connection is closed."""
        self._connections.discard(connection)

    def _accept(self, _events: int) -> None:
        with suppress(OSError):  # the caller has hung up already
            sock, peer = self._listener.accept()
            self._connections.add(HttpConnection(self, sock, peer[0]))


class HttpConnection:
    """One connection: what has come so far, what is still to be sent."""

    def __init__(self, server: HttpServer, sock: socket.socket, client: str) -> None:
        self._server, self._sock, self._client = server, sock, client
        self._got = b""
        self._waiting = memoryview(b"")
        self._served = False
        sock.setblocking(False)
        server.reactor.watch(sock, READ, self._ready)

    def close(self) -> None:
        """Cut the connection."""
        self._server.reactor.discard(self._sock)
        self._server.discard(self)

    def _ready(self, events: int) -> None:
        try:
            if events & WRITE:
                self._write()
            if events & READ:
                self._read()
        except OSError:  # the other side has cut it
            self.close()

    def _read(self) -> None:
        data = self._sock.recv(CHUNK)
        if not data:
            self.close()
        elif not self._served and not self._server.impairment.down:  # what comes later is read only to see the end
            self._got += data
            self._try()

    def _try(self) -> None:
        try:
            request = http.read(self._got)
        except http.UnreadableRequest as bad:
            self._answer(http.WebResponse(bad.status))
        else:
            if request is not None:
                log.debug("<- %s %s %s %s", self._client, request.method, request.path, request.body.decode("latin-1"))
                self._answer(self._server.serve(request, self._client))

    def _answer(self, response: http.WebResponse) -> None:
        self._served = True
        self._server.reactor.later(self._server.state.quirks.slow, partial(self._send, response))

    def _send(self, response: http.WebResponse) -> None:
        data = self._server.impairment.apply_to_stream(spelt(response.encode(), self._server.state.quirks))
        if data is None or self._sock.fileno() < 0:  # dropped, or the client has gone
            return
        log.debug("-> %s %d %s", self._client, response.status, response.body[:LOGGED].decode("latin-1"))
        self._waiting = memoryview(data)
        self._ready(WRITE)

    def _write(self) -> None:
        drip = self._server.state.quirks.drip
        with suppress(BlockingIOError):
            self._waiting = self._waiting[self._sock.send(self._waiting[: 1 if drip else len(self._waiting)]) :]
        if not self._waiting:
            self._sock.shutdown(socket.SHUT_WR)
        events = READ | WRITE if self._waiting and not drip else READ
        self._server.reactor.watch(self._sock, events, self._ready)
        if self._waiting and drip:
            self._server.reactor.later(drip, self._drip)

    def _drip(self) -> None:
        if self._sock.fileno() >= 0:
            self._ready(WRITE)
