"""UdpHole: one local UDP port, kept open in the NATs by questions to STUN servers. Engine thread only.

Datagrams that answer a question of ours are read here, late ones and those that come twice as well; all others came
from peers and are handed on.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from portmap.errors import Garbled, NoGateway
from portmap.network.interface import use_interface
from portmap.wire.exchange import Peer
from portmap.wire.stun.message import BindingRequest, Endpoint, Reflection, is_stun

ANSWER = 2.0  # seconds for all answers
SENDS = (0.0, 0.3, 0.8, 1.4)  # seconds; a datagram may be lost
_LONGEST = 65535

Deliver = Callable[[bytes, Peer], None]


@dataclass(slots=True)
class _Question:
    request: BindingRequest
    peer: Peer
    answer: asyncio.Future[Reflection]


@dataclass(slots=True)
class UdpHole:
    """The socket, and the questions that are under way. `deliver` takes what peers send."""

    sock: socket.socket
    deliver: Deliver
    _questions: dict[bytes, _Question] = field(default_factory=dict)
    _servers: frozenset[Peer] = frozenset()
    """Those that were asked last."""

    @classmethod
    def bind(cls, deliver: Deliver, port: int = 0, interface: str | None = None) -> "UdpHole":
        """A hole at a local port of the interface; 0: any port, None: every interface. Raises NoGateway."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            use_interface(sock, interface)
            sock.bind(("", port))
        except OSError as error:
            sock.close()
            raise NoGateway(f"UDP port {port} cannot be opened here: {error.strerror or error}") from error
        return cls(sock, deliver)

    @property
    def local_port(self) -> int:
        """The local port."""
        return int(self.sock.getsockname()[1])

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Read from now on."""
        loop.add_reader(self.sock, self._read)

    def close(self, loop: asyncio.AbstractEventLoop) -> None:
        """Stop reading; the NATs forget the port in time."""
        loop.remove_reader(self.sock)
        self.sock.close()

    async def ask(self, peers: Sequence[Peer]) -> list[Endpoint | None]:
        """Where each server sees the port, and its second address where it has one; None for no answer."""
        self._servers = frozenset(peers)
        answers = await asyncio.gather(*(self._ask(peer) for peer in peers))
        pairs = [(answer, peer) for answer, peer in zip(answers, peers, strict=True) if answer is not None]
        others = [other for answer, (address, _) in pairs if (other := answer.second_of(address)) is not None]
        self._servers |= {(str(address), port) for address, port in others[:1]}
        more = await asyncio.gather(*(self._ask((str(address), port)) for address, port in others[:1]))
        return [answer.endpoint if answer is not None else None for answer in (*answers, *more)]

    async def _ask(self, peer: Peer) -> Reflection | None:
        request = BindingRequest()
        question = _Question(request, peer, asyncio.get_running_loop().create_future())
        self._questions[request.transaction] = question
        try:
            async with asyncio.timeout(ANSWER):
                sending = asyncio.create_task(self._send(question))
                try:
                    return await question.answer
                finally:
                    sending.cancel()
        except TimeoutError:
            return None
        finally:
            del self._questions[request.transaction]

    async def _send(self, question: _Question) -> None:
        began = asyncio.get_running_loop().time()
        for moment in SENDS:
            await asyncio.sleep(max(0.0, began + moment - asyncio.get_running_loop().time()))
            with suppress(OSError):  # no way just now: the next one may have one
                self.sock.sendto(question.request.to_bytes(), question.peer)

    def _read(self) -> None:
        with suppress(OSError):  # ICMP told of an earlier datagram, or there is nothing left
            for _ in range(64):  # then the other sockets have their turn
                datagram, peer = self.sock.recvfrom(_LONGEST)
                if not self._is_answer(datagram, peer):
                    self.deliver(datagram, peer)

    def _is_answer(self, datagram: bytes, peer: Peer) -> bool:
        question = self._questions.get(datagram[8:20])
        if question is None or peer != question.peer:
            return peer in self._servers and is_stun(datagram)
        with suppress(Garbled):
            answer = question.request.read(datagram)
            if isinstance(answer, Reflection) and answer.is_of(4) and not question.answer.done():
                question.answer.set_result(answer)
        return True
