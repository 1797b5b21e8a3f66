"""StunConnection: a TCP connection to a STUN server that stays (RFC 8489 §6.2.2). Engine thread only.

A task reads: answers find their questions by the transaction id, and the end of the connection is noticed at once.
When the task ends, for whatever reason, the socket is closed.
"""

import asyncio
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass, field

from portmap.errors import Garbled
from portmap.wire.stun.message import BindingRequest, Endpoint, Reflection

ANSWER = 4.0  # seconds
_HEADER = 20  # bytes of a message's header, with the length of what follows in bytes 2 and 3
_LONGEST = 2048  # bytes
_RESET = struct.pack("ii", 1, 0)  # struct linger: on, 0 seconds


@dataclass(slots=True)
class StunConnection:
    """A connected socket. `ended` is set when the server ended it, or spoke something else than STUN."""

    sock: socket.socket
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    _questions: dict[bytes, tuple[BindingRequest, asyncio.Future[Reflection]]] = field(default_factory=dict)
    _reader: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Read from now on."""
        self._reader = asyncio.create_task(self._read())
        self._reader.add_done_callback(lambda _: self._reset())

    async def ask(self) -> Endpoint | None:
        """Where the server sees this connection come from; None for no answer."""
        request, answer = BindingRequest(), asyncio.get_running_loop().create_future()
        self._questions[request.transaction] = request, answer
        try:
            async with asyncio.timeout(ANSWER):
                await asyncio.get_running_loop().sock_sendall(self.sock, request.to_bytes())
                reflection: Reflection = await answer
                return reflection.endpoint
        except (OSError, TimeoutError):
            return None
        finally:
            del self._questions[request.transaction]

    async def close(self) -> None:
        """End it. Where this is cancelled, it ends soon after."""
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)

    def _reset(self) -> None:
        """Close the socket by a reset: a normal end would keep its ports taken for a minute (TIME-WAIT)."""
        with suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.sock.close()

    async def _read(self) -> None:
        try:
            with suppress(OSError):
                while (message := await self._message()) is not None:
                    self._answer(message)
        finally:
            self.ended.set()
            for _, answer in self._questions.values():
                if not answer.done():
                    answer.set_exception(ConnectionResetError("the server ended the connection"))

    async def _message(self) -> bytes | None:
        head = await self._exactly(_HEADER)
        length = int.from_bytes(head[2:4], "big")
        if len(head) < _HEADER or length > _LONGEST:
            return None
        rest = await self._exactly(length)
        return head + rest if len(rest) == length else None

    async def _exactly(self, count: int) -> bytes:
        """So many bytes; fewer at the end."""
        data = b""
        while len(data) < count and (more := await asyncio.get_running_loop().sock_recv(self.sock, count - len(data))):
            data += more
        return data

    def _answer(self, message: bytes) -> None:
        request, answer = self._questions.get(message[8:20], (None, None))
        if request is not None and answer is not None and not answer.done():
            with suppress(Garbled):
                reflection = request.read(message)
                if isinstance(reflection, Reflection) and reflection.is_of(4):
                    answer.set_result(reflection)
