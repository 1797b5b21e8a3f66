"""PortForwarder: what reaches (outside, external port) of the simulated router goes to the internal client.

Rules:
- the relays follow the mapping table, and nothing else opens or closes one;
- a router on a loopback address relays to loopback addresses only, whatever is mapped: tests send nothing to the LAN;
- bytes are read only when nothing waits to be written on the other side, so a slow reader slows the writer;
- any socket error closes both sides of a TCP connection.

Reactor thread only.
"""

import logging
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from ipaddress import IPv4Address
from typing import Protocol as Interface

from portmap.errors import PortmapError
from portmap.model import Protocol
from portmap.simulator.mapping_table import Entry
from portmap.simulator.net.reactor import READ, WRITE, Reactor
from portmap.simulator.net.udp_port import LONGEST, Peer, listening

log = logging.getLogger("portmap.testing")
MOST_PEERS = 64  # UDP senders that one mapping remembers; the oldest makes room
KIND = {Protocol.TCP: socket.SOCK_STREAM, Protocol.UDP: socket.SOCK_DGRAM}


class Relay(Interface):
    """One mapping at work."""

    client: Peer

    def close(self) -> None:
        """Stop forwarding at once, connections under way included."""


class TcpRelay:
    """Accepts on the external port and joins each connection with one to the internal client."""

    def __init__(self, reactor: Reactor, where: Peer, client: Peer) -> None:
        self.client = client
        self._reactor = reactor
        self._listener = listening(socket.SOCK_STREAM, where)
        self._connections: set[TcpForward] = set()
        reactor.watch(self._listener, READ, self._accept)

    def close(self) -> None:
        """Stop listening and cut what is connected."""
        self._reactor.discard(self._listener)
        for connection in tuple(self._connections):
            connection.close()

    def _accept(self, _events: int) -> None:
        with suppress(OSError):  # the caller has hung up already
            outer, _ = self._listener.accept()
            self._connections.add(TcpForward(self._reactor, outer, self.client, self._connections.discard))


class UdpRelay:
    """Forwards each sender's datagrams from a socket of its own, so that answers find the way back."""

    def __init__(self, reactor: Reactor, where: Peer, client: Peer) -> None:
        self.client = client
        self._reactor = reactor
        self._outer = listening(socket.SOCK_DGRAM, where)
        self._inner: dict[Peer, socket.socket] = {}
        reactor.watch(self._outer, READ, self._inwards)

    def close(self) -> None:
        """Stop listening and forget the senders."""
        for sock in (self._outer, *self._inner.values()):
            self._reactor.discard(sock)

    def _inwards(self, _events: int) -> None:
        with suppress(OSError):  # no socket listens inside: UDP loses it
            data, peer = self._outer.recvfrom(LONGEST)
            self._towards_client(peer).send(data)

    def _outwards(self, peer: Peer, sock: socket.socket, _events: int) -> None:
        with suppress(OSError):  # as above, the other way round
            self._outer.sendto(sock.recv(LONGEST), peer)

    def _towards_client(self, peer: Peer) -> socket.socket:
        if peer not in self._inner:
            if len(self._inner) >= MOST_PEERS:
                self._reactor.discard(self._inner.pop(next(iter(self._inner))))
            self._inner[peer] = sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.setblocking(False)
            sock.connect(self.client)
            self._reactor.watch(sock, READ, partial(self._outwards, peer, sock))
        return self._inner[peer]


class PortForwarder:
    """All relays of one router, by protocol and external port."""

    def __init__(self, reactor: Reactor, outside: str) -> None:
        self._reactor, self._outside = reactor, outside
        self._open: dict[tuple[Protocol, int], Relay] = {}
        self._followed: tuple[Entry, ...] = ()

    def usable(self, protocol: Protocol, external_port: int) -> bool:
        """Whether the router could listen there, or does so already.

        It cannot where a program of this host has the port on every address (0.0.0.0).
        """
        if (protocol, external_port) in self._open:
            return True
        try:
            listening(KIND[protocol], (self._outside, external_port)).close()
        except PortmapError:
            return False
        return True

    def follow(self, entries: tuple[Entry, ...]) -> None:
        """Close what is no longer mapped, or mapped elsewhere, and open what is."""
        if entries is self._followed:  # the table gives the same tuple until something changes
            return
        self._followed = entries
        wanted = {(e.protocol, e.external_port): (e.internal_client, e.internal_port) for e in entries}
        for slot in [slot for slot, relay in self._open.items() if wanted.get(slot) != relay.client]:
            self._open.pop(slot).close()
        for slot in wanted.keys() - self._open.keys():
            if self._reaches(wanted[slot][0]):
                self._open_one(slot, wanted[slot])

    def _reaches(self, client: str) -> bool:
        return IPv4Address(client).is_loopback or not IPv4Address(self._outside).is_loopback

    def _open_one(self, slot: tuple[Protocol, int], client: Peer) -> None:
        protocol, external_port = slot
        make = TcpRelay if protocol is Protocol.TCP else UdpRelay
        try:
            self._open[slot] = make(self._reactor, (self._outside, external_port), client)
        except PortmapError as error:  # taken by another program since it was granted
            log.debug("mapped but not forwarded: %s", error)


CHUNK = 65536


class TcpForward:
    """Joins a connection from outside with a new one to the internal client; calls `ended` once it is over."""

    def __init__(
        self, reactor: Reactor, outer: socket.socket, client: Peer, ended: Callable[["TcpForward"], None]
    ) -> None:
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
        data = sock.recv(CHUNK)
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
