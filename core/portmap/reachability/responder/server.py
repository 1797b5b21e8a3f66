"""Responder: the sockets of `portmap echo`. Bounded: connections, tries at once, bytes and seconds for each.

It connects to no address but the one that asks, once a second for each, so it is neither a scanner nor an amplifier:
a UDP datagram has at most 64 bytes, and goes to an address that has completed a TCP handshake with us.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import ip_address

from portmap.errors import PortmapError
from portmap.model import Address
from portmap.reachability.responder.answers import Try, answer_to, client_of, is_proxy, plain
from portmap.reachability.responder.http import MAX_HEAD, BadRequest, Response, error_response, parse_request
from portmap.reachability.responder.rate_limit import Places, RateLimit
from portmap.reachability.responder.try_port import CONNECT, try_port

HEAD_SECONDS = 3.0  # for the request to come
BUSY_SECONDS = 0.2  # the same where there are too many connections: an answer before the request is lost
MAX_TRIES = 16  # at once
_BACKLOG = 512

_log = logging.getLogger("portmap.echo")


@dataclass(slots=True)
class Responder:
    """Answers on the sockets that it is given. `proxy`: the one host whose header names the client."""

    proxy: Address | None = None
    clock: Callable[[], float] = time.monotonic
    limit: RateLimit = field(default_factory=RateLimit)
    places: Places = field(default_factory=Places)
    connect_seconds: float = CONNECT
    _tries: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, listener: socket.socket, until: asyncio.Event) -> None:
        """Answer until the event is set."""
        server = await asyncio.start_server(self._begin, sock=listener, limit=MAX_HEAD, backlog=_BACKLOG)
        async with server:
            await until.wait()

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer in a task of our own: asyncio's prints a traceback where it is cancelled at the end (Python 3.11)."""
        task = asyncio.get_running_loop().create_task(self._answer(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = plain(ip_address(writer.get_extra_info("peername")[0]))
        has_place = self.places.take(peer, shared=is_proxy(peer, self.proxy))
        try:
            with suppress(OSError, TimeoutError):  # the client has gone, or is too slow to be served
                async with asyncio.timeout(HEAD_SECONDS + self.connect_seconds + 1):
                    response = await self._response(reader, peer, busy=not has_place)
                    writer.write(response.to_bytes())
                    await writer.drain()
        finally:
            if has_place:
                self.places.leave(peer)
            writer.close()

    async def _response(self, reader: asyncio.StreamReader, peer: Address, *, busy: bool) -> Response:
        try:
            async with asyncio.timeout(BUSY_SECONDS if busy else HEAD_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
            if busy:
                return _busy()
            request = parse_request(head)
            wanted = answer_to(request, client_of(request, peer, self.proxy))
        except BadRequest as error:
            return error_response(error)
        except asyncio.LimitOverrunError:
            return error_response(BadRequest(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE))
        except (asyncio.IncompleteReadError, TimeoutError):
            return error_response(BadRequest(HTTPStatus.REQUEST_TIMEOUT))
        return wanted if isinstance(wanted, Response) else await self._try(wanted)

    async def _try(self, wanted: Try) -> Response:
        if self._tries >= MAX_TRIES:
            return _busy()
        if not self.limit.allows(wanted.address, self.clock()):
            return error_response(BadRequest(HTTPStatus.TOO_MANY_REQUESTS, "once a second"), retry_after=1)
        self._tries += 1
        try:
            reached = await try_port(wanted, self.connect_seconds)
        finally:
            self._tries -= 1
        _log.debug("%s port %s of %s: %s", wanted.protocol, wanted.port, wanted.address, "yes" if reached else "no")
        return wanted.answer(reached=reached)


def _busy() -> Response:
    return error_response(BadRequest(HTTPStatus.SERVICE_UNAVAILABLE, "busy"), retry_after=1)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; `host` "" is every address, IPv6 and IPv4. Raises PortmapError where it cannot be had."""
    try:
        if not host:
            if socket.has_dualstack_ipv6():
                return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=_BACKLOG)
            return socket.create_server(("", port), backlog=_BACKLOG)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        shown = f"{host or 'any address'} port {port}"
        raise PortmapError(f"cannot listen on {shown}: {error.strerror or error}: try another --listen") from error
