"""One question to one gateway, over UDP: send, wait, send again, until it answers or the deadline has come.

Law: no OSError leaves this file. The socket is connected, so the kernel drops whatever does not come from the
gateway's own address and port, and tells when nobody listens there. A datagram that is no answer is waited past: it
must not cost us the answer behind it. There is no select(): descriptors above 1023 work.
"""

import logging
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar

from portmap.errors import Garbled, GatewayTimeout, NoGateway
from portmap_natpmp.packets import Answer, Refusal

log = logging.getLogger("portmap.natpmp")

AnswerT_co = TypeVar("AnswerT_co", bound=Answer, covariant=True)
Peer: TypeAlias = tuple[str, int]
Receive: TypeAlias = Callable[[socket.socket, float], bytes]
"""How to wait for the next datagram, so many seconds. Raises TimeoutError, or OSError as the socket does."""

_MAX_DATAGRAM = 65535  # anything smaller makes Windows fail on a larger one
_SHOWN = 64  # bytes of a datagram that the log shows: no NAT-PMP packet is longer


class Question(Protocol[AnswerT_co]):
    """A request: what to send, and how to read what comes back."""

    def to_bytes(self) -> bytes:
        """The request on the wire."""

    def read(self, datagram: bytes) -> AnswerT_co | Refusal:
        """The datagram as an answer. Raises Garbled if it is none."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds: for the first answer, doubled with each packet (RFC 6886 §3.1), and in all.

    The RFC's nine packets take 128 s, the last wait 64 s. Five are sent here, in the 3.75 s after which a gateway on
    the same link may be called silent; the core loop asks again. No wait is longer than `longest_wait`, so that a
    gateway that comes back meanwhile is asked within a second.
    """

    first_wait: float = 0.25
    deadline: float = 3.75
    longest_wait: float = 1.0


def receive(sock: socket.socket, timeout: float) -> bytes:
    """The next datagram, for one who has nothing else to wait for."""
    sock.settimeout(timeout)
    return sock.recv(_MAX_DATAGRAM)


def exchange(
    peer: Peer,
    question: Question[AnswerT_co],
    patience: Patience,
    clock: Callable[[], float] = time.monotonic,
    receive: Receive = receive,
) -> AnswerT_co | Refusal:
    """The gateway's answer, good or refusing.

    Raises NoGateway if nobody is there, GatewayTimeout for silence, Garbled if only garbage came; and what `receive`
    raises, if that is no OSError.
    """
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(peer)
            datagrams = _datagrams(sock, question.to_bytes(), patience, clock, receive)
            return _first_answer(datagrams, question, peer, patience)
    except ConnectionError as error:  # an ICMP "port unreachable" came back, at once: RFC 6886 §3.1 says to believe it
        raise NoGateway(f"nobody speaks NAT-PMP at {_name(peer)}: is it switched on there?") from error
    except OSError as error:
        raise NoGateway(f"{_name(peer)} cannot be reached: {error.strerror or error}; is the network up?") from error


def _first_answer(
    datagrams: Iterator[bytes], question: Question[AnswerT_co], peer: Peer, patience: Patience
) -> AnswerT_co | Refusal:
    """The first datagram that is an answer."""
    garbage: Garbled | None = None
    for datagram in datagrams:
        try:
            return question.read(datagram)
        except Garbled as error:
            log.debug("ignored, from %s: %s", _name(peer), error)
            garbage = error
    if garbage is None:
        raise GatewayTimeout(
            f"no NAT-PMP answer from {_name(peer)} within {patience.deadline:g} s: is it the gateway, and switched on?"
        )
    raise Garbled(f"{_name(peer)} answered nothing but garbage: {garbage}; is NAT-PMP what it speaks?") from garbage


def _datagrams(
    sock: socket.socket, request: bytes, patience: Patience, clock: Callable[[], float], receive: Receive
) -> Iterator[bytes]:
    """Everything that the gateway sends until the deadline, while the request is repeated ever more slowly."""
    now = send_at = clock()
    end = now + patience.deadline
    wait = patience.first_wait
    while now < end:
        if now >= send_at:
            log.debug("-> %s", request.hex())
            sock.send(request)
            send_at = now + wait
            wait = min(wait * 2, patience.longest_wait)
        try:
            datagram = receive(sock, min(send_at, end) - now)
        except TimeoutError:
            pass
        else:
            log.debug("<- %s", datagram[:_SHOWN].hex())
            yield datagram
        now = clock()


def _name(peer: Peer) -> str:
    """The gateway as people write it."""
    address, port = peer
    return f"{address}:{port}"
