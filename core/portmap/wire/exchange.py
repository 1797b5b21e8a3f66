"""One question to one peer, over UDP: send, wait, send again, until it answers or the deadline has come.

Rules:
- Raises portmap errors only.
- The socket is connected, so the kernel drops what does not come from the peer's own address and port, and reports
  that no program listens there.
- A datagram that is no answer is passed over: the answer may be behind it.
- There is no select(): descriptors above 1023 work.
"""

import logging
import socket
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from math import inf
from typing import Any, Generic, NamedTuple, Protocol, TypeAlias, TypeVar

from portmap.errors import Garbled, GatewayTimeout, NoGateway
from portmap.model import Address
from portmap.network.routes import bind_towards

log = logging.getLogger("portmap.wire")

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Peer: TypeAlias = tuple[str, int]
"""An IP literal, maybe with a zone (`fe80::1%eth0`), and a port."""
Receive: TypeAlias = Callable[[socket.socket, float], bytes]
"""How to wait for the next datagram, so many seconds. Raises TimeoutError, or OSError as the socket does."""

_MAX_DATAGRAM = 65535  # anything smaller makes Windows fail on a larger one
_SHOWN = 64  # bytes of a datagram that the log shows


class Question(Protocol[T_co]):
    """A request: what to send, and how to read what comes back."""

    def to_bytes(self) -> bytes:
        """The request on the wire."""

    def read(self, datagram: bytes) -> T_co:
        """The datagram as an answer, good or refusing. Raises Garbled if it is none."""


class TimedAnswer(NamedTuple, Generic[T_co]):
    """An answer, and when on our clock the question was first sent and the answer received."""

    answer: T_co
    asked_at: float
    heard_at: float


class Timeouts(NamedTuple):
    """How long to wait, in seconds: for the first answer, doubled with each packet (RFC 6886 §3.1), and in all.

    The RFCs' packets take 128 s and more, the last wait 64 s. Eight are sent here, in 3.75 s: after that a gateway on
    the same link counts as silent, and the core loop asks again. No wait is longer than `longest_wait`: a gateway that
    comes back meanwhile is asked at once, and where a third of all packets is lost one question in two hundred stays
    unanswered, not one in thirty.
    """

    first_wait: float = 0.25
    deadline: float = 3.75
    longest_wait: float = 0.5


def receive(sock: socket.socket, timeout: float) -> bytes:
    """The next datagram, where there is nothing else to wait for. Raises OSError."""
    sock.settimeout(timeout)
    return sock.recv(_MAX_DATAGRAM)


def exchange(
    peer: Peer,
    question: Question[T],
    timeouts: Timeouts,
    clock: Callable[[], float] = time.monotonic,
    receive: Receive = receive,
    *,
    speaks: str,
    source: Address | None = None,
    interface: str | None = None,
    is_certain: Callable[[T], bool] = lambda _: True,
) -> T:
    """The peer's answer, good or refusing. `speaks` names the protocol in errors, `source` is our own address.

    `interface`: the one to send by and to receive from; None: the routing table decides.
    After an answer that is not certain, which another host may have made up, `first_wait` seconds remain for one that
    is. Raises NoGateway if no program answers there, GatewayTimeout for silence, Garbled if only garbage came; and what
    `receive` raises, if that is no OSError.
    """
    name = _name(peer) if interface is None else f"{_name(peer)} by {interface}"
    try:
        with connected(peer, source, interface) as sock:
            datagrams = _Datagrams(sock, question.to_bytes(), timeouts, clock, receive, name)
            return _first_answer(datagrams, question, is_certain, speaks)
    except ConnectionError as error:  # an ICMP "port unreachable" came back, at once: RFC 6886 §3.1 says to believe it
        raise NoGateway(f"no program speaks {speaks} at {name}: is it switched on there?") from error
    except OSError as error:
        raise NoGateway(f"{name} cannot be reached: {error.strerror or error}; is the network up?") from error


def connected(peer: Peer, source: Address | None = None, interface: str | None = None) -> socket.socket:
    """A UDP socket that receives from the peer only. Raises OSError, and NoGateway for an interface without use."""
    family = socket.AF_INET6 if ":" in peer[0] else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        if source is not None or interface is not None:
            bind_towards(sock, ip_address(peer[0]), interface, source)
        sock.connect(_numeric(peer, family))
    except BaseException:  # a stop, too: no other code closes the socket
        sock.close()
        raise
    return sock


def _numeric(peer: Peer, family: socket.AddressFamily) -> tuple[Any, ...]:
    """The address for `connect`; nothing is looked up. Raises OSError for what is no address."""
    if family == socket.AF_INET:
        socket.inet_pton(family, peer[0])  # not getaddrinfo, which imports the tables for international names: 1 ms
        return peer
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV  # a zone becomes its number
    return socket.getaddrinfo(*peer, family, socket.SOCK_DGRAM, flags=flags)[0][4]


def _first_answer(datagrams: "_Datagrams", question: Question[T], is_certain: Callable[[T], bool], speaks: str) -> T:
    """The first datagram that is a certain answer, else the first answer."""
    garbage: Garbled | None = None
    uncertain: list[T] = []
    for datagram in datagrams:
        try:
            answer = question.read(datagram)
        except Garbled as error:
            log.debug("ignored, from %s: %s", datagrams.name, error)
            garbage = error
            continue
        if is_certain(answer):
            return answer
        uncertain.append(answer)
        datagrams.send_no_more()
    if uncertain:
        return uncertain[0]
    name, deadline = datagrams.name, datagrams.timeouts.deadline
    if garbage is None:
        raise GatewayTimeout(
            f"no {speaks} answer from {name} within {deadline:g} s: is it the gateway, and switched on?"
        )
    raise Garbled(f"{name} answered only garbage: {garbage}; is {speaks} what it speaks?") from garbage


class _Datagrams:
    """Everything that the peer sends until the deadline, while the request is repeated ever more slowly."""

    def __init__(
        self,
        sock: socket.socket,
        request: bytes,
        timeouts: Timeouts,
        clock: Callable[[], float],
        receive: Receive,
        name: str,
    ) -> None:
        self.timeouts = timeouts
        self.name = name
        self._sock = sock
        self._request = request
        self._clock = clock
        self._receive = receive
        self._now = self._send_at = clock()
        self._end = self._now + timeouts.deadline

    def send_no_more(self) -> None:
        """There is an answer: only what comes within the first wait still counts."""
        if self._send_at < inf:
            self._send_at = inf
            self._end = min(self._end, self._clock() + self.timeouts.first_wait)

    def __iter__(self) -> Iterator[bytes]:
        wait = self.timeouts.first_wait
        while self._now < self._end:
            if self._now >= self._send_at:
                log.debug("-> %s", self._request.hex(), extra=_wire("out", self.name, self._request))
                self._sock.send(self._request)
                self._send_at = self._now + wait
                wait = min(wait * 2, self.timeouts.longest_wait)
            try:
                datagram = self._receive(self._sock, min(self._send_at, self._end) - self._now)
            except TimeoutError:
                pass
            else:
                log.debug("<- %s", datagram[:_SHOWN].hex(), extra=_wire("in", self.name, datagram))
                yield datagram
            self._now = self._clock()


def _wire(way: str, peer: str, data: bytes) -> dict[str, object]:
    """The datagram itself, for a capture."""
    return {"wire": {"way": way, "over": "udp", "peer": peer, "data": data}}


def _name(peer: Peer) -> str:
    """The peer as people write it."""
    address, port = peer
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
