"""UdpHole: which datagrams are answers of servers, and which are handed on to the application."""

import asyncio
import socket

from tests.punch.stun_peer import Place, StunPeer

from portmap_punch.udp_hole import UdpHole


class Repeating(StunPeer):
    """A server that can send its last answer again, as it does where a slow line made us send the question again."""

    last: tuple[bytes, Place] = b"", ("", 0)

    def answer(self, data: bytes, source: Place) -> bytes:
        self.last = super().answer(data, source), source
        return self.last[0]

    def repeat(self) -> None:
        self._udp.sendto(*self.last)


def test_an_answer_that_comes_again_is_not_handed_on_and_what_peers_send_is() -> None:
    handed: list[bytes] = []

    async def work() -> None:
        came = asyncio.Event()

        def deliver(datagram: bytes, _: Place) -> None:
            handed.append(datagram)
            if datagram == b"hello":
                came.set()

        hole, loop = UdpHole.bind(deliver), asyncio.get_running_loop()
        hole.start(loop)
        try:
            assert await hole.ask([server.peer]) != [None]
            server.repeat()
            peer.sendto(b"hello", ("127.0.0.1", hole.local_port))
            await asyncio.wait_for(came.wait(), 5)
        finally:
            hole.close(loop)

    with Repeating() as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        asyncio.run(work())
    assert handed == [b"hello"]
