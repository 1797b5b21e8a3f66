"""Asks STUN servers that the user named how the NAT treats this host's UDP (RFC 5780 §4). Raises portmap errors only.

Bounded: each question has a deadline. A datagram counts only with the transaction id of a question of ours.
"""

import selectors
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from types import TracebackType
from typing import Self

from portmap.errors import Garbled, GatewayTimeout, NoGateway
from portmap.model import Address
from portmap.network.interface import use_interface
from portmap.reachability.nat_type import Filtered, Mappings, NatType, nat_type
from portmap.wire.exchange import Peer
from portmap.wire.stun.message import BindingRequest, Endpoint, Reflection

ANSWER = 1.5  # seconds for an answer that a filter may keep away: RFC 5780 §4.1 would wait 39.5 s
SENDS = (0.0, 0.3, 0.8)  # seconds; a datagram may be lost
_LONGEST = 2048  # bytes of a datagram


class ProbeSocket:
    """A UDP socket that asks several servers from one local port. A context manager.

    `interface`: the one of this host to ask by; None: the routing table decides.
    """

    def __init__(self, source: Address, interface: str | None = None) -> None:
        self._sock = socket.socket(socket.AF_INET if source.version == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
        try:
            self._sock.setblocking(False)
            use_interface(self._sock, interface)
            self._sock.bind((str(source), 0))
        except OSError as error:
            self._sock.close()
            raise NoGateway(f"no UDP socket can be opened on {source}: {error.strerror or error}") from error
        host, port, *_ = self._sock.getsockname()
        self.local: Endpoint = (ip_address(host), port)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sock.close()

    def ask(self, peer: Peer, request: BindingRequest, seconds: float = ANSWER) -> Reflection | None:
        """The answer, from whichever address it comes; None where none came in time."""
        answered = self.ask_for_source(peer, request, seconds)
        return None if answered is None else answered[0]

    def ask_for_source(
        self, peer: Peer, request: BindingRequest, seconds: float = ANSWER
    ) -> tuple[Reflection, Peer] | None:
        """The answer, and the address and port that it came from; None where none came in time."""
        began = time.monotonic()
        sends = list(SENDS)
        with selectors.DefaultSelector() as selector:
            selector.register(self._sock, selectors.EVENT_READ)
            while (now := time.monotonic() - began) < seconds:
                if sends and now >= sends[0]:
                    sends.pop(0)
                    self.send(peer, request)
                until = min(sends[0] if sends else seconds, seconds)
                if selector.select(max(0.0, until - now)) and (answer := self._read(request)) is not None:
                    return answer
        return None

    def send(self, peer: Peer, request: BindingRequest) -> None:
        """Send the request once. Raises NoGateway where there is no way."""
        try:
            self._sock.sendto(request.to_bytes(), peer)
        except OSError as error:
            raise NoGateway(f"{peer[0]} cannot be reached: {error.strerror or error}; is the network up?") from error

    def is_answered(self, request: BindingRequest, seconds: float) -> bool:
        """Whether an answer to this request arrives here, be it a refusal."""
        return self._waits_for(lambda datagram: _is_answer(datagram, request), seconds)

    def hears(self, request: BindingRequest, seconds: float) -> bool:
        """Whether this very request arrives, as one that the NAT looped back does."""
        return self._waits_for(lambda datagram: datagram == request.to_bytes(), seconds)

    def _waits_for(self, is_it: Callable[[bytes], bool], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self._sock, selectors.EVENT_READ)
            while selector.select(max(0.0, deadline - time.monotonic())):
                if is_it(self._receive()[0]):
                    return True
        return False

    def _read(self, request: BindingRequest) -> tuple[Reflection, Peer] | None:
        datagram, source = self._receive()
        try:
            answer = request.read(datagram)
        except Garbled:
            return None
        if isinstance(answer, Reflection) and answer.is_of(self.local[0].version):
            return answer, source
        return None

    def _receive(self) -> tuple[bytes, Peer]:
        try:
            datagram, (host, port, *_) = self._sock.recvfrom(_LONGEST)
        except OSError:  # ICMP told that an earlier datagram found no socket
            return b"", ("", 0)
        return datagram, (host, port)


def _is_answer(datagram: bytes, request: BindingRequest) -> bool:
    try:
        request.read(datagram)
    except Garbled:
        return False
    return True


@dataclass(frozen=True, slots=True)
class NatProbe:
    """Asks one server, or two. With one of RFC 5780 (a second address) filters are measured as well."""

    first: Peer
    second: Peer | None
    source: Address
    interface: str | None = None

    def measure(self) -> NatType:
        """The judgement. Raises GatewayTimeout where the first server does not answer."""
        with self._socket() as sock:
            mappings, other = self._mappings(sock)
        filtered = self._filtered() if other is not None else Filtered()
        return nat_type(mappings, filtered, loops_back=self._loops_back())

    def _mappings(self, sock: ProbeSocket) -> tuple[Mappings, Endpoint | None]:
        first = self._first(sock)
        other = first.second_of(self.first[0])
        second = sock.ask(self.second, BindingRequest()) if self.second is not None else None
        moved = sock.ask((str(other[0]), self.first[1]), BindingRequest()) if other is not None else None
        last = sock.ask((str(other[0]), other[1]), BindingRequest()) if other is not None else None
        seen = Mappings(
            sock.local,
            first.endpoint,
            second.endpoint if second is not None else None,
            moved.endpoint if moved is not None else None,
            last.endpoint if last is not None else None,
        )
        return seen, other

    def _filtered(self) -> Filtered:
        """From a port of its own: nothing was sent to the server's other address from there."""
        with self._socket() as sock:
            self._first(sock)
            return Filtered(
                self._comes_through(sock, BindingRequest(change_ip=True, change_port=True)),
                self._comes_through(sock, BindingRequest(change_port=True)),
            )

    def _comes_through(self, sock: ProbeSocket, request: BindingRequest) -> bool | None:
        """Whether the answer from the other place comes; None where the server answers from the one that was asked."""
        answered = sock.ask_for_source(self.first, request)
        if answered is None:
            return False
        host, port = answered[1]
        is_other = host != self.first[0] if request.change_ip else port != self.first[1]
        return True if is_other else None

    def _loops_back(self) -> bool | None:
        """Whether a datagram to our own external address arrives here; None where none can be sent there."""
        with self._socket() as listener, self._socket() as sender:
            external = self._first(listener).endpoint
            request = BindingRequest()
            try:
                sender.send((str(external[0]), external[1]), request)
            except NoGateway:
                return None
            return listener.hears(request, ANSWER)

    def _socket(self) -> ProbeSocket:
        return ProbeSocket(self.source, self.interface)

    def _first(self, sock: ProbeSocket) -> Reflection:
        answer = sock.ask(self.first, BindingRequest(), seconds=2 * ANSWER)
        if answer is None:
            raise GatewayTimeout(f"no STUN answer from {self.first[0]}: is it a STUN server?")
        return answer
