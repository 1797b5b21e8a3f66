"""InnerNat: the NAT of an inner gateway on loopback: what a host sends through it arrives from the gateway's outside.

One simulated router stands beside another here, and every host can reach both from its own address. Where the outer
one has to see the inner one, as NAT-PMP and PCP need it, datagrams go through this.
"""

import socket
from contextlib import suppress
from ipaddress import IPv4Address
from selectors import EVENT_READ, DefaultSelector
from threading import Thread
from typing import Self

from portmap.testing import loopback_address

Peer = tuple[str, int]


class InnerNat:
    """Hands datagrams on to `outer`, from the address `outside`. `address` and `port` stand for the outer gateway."""

    def __init__(self, outside: str, outer: Peer) -> None:
        self._outside = outside
        self._outer = outer
        self._inside = _bound(loopback_address())
        self.address = IPv4Address(self._inside.getsockname()[0])
        self.port: int = self._inside.getsockname()[1]
        self._out: dict[Peer, socket.socket] = {}
        self._selector = DefaultSelector()
        self._selector.register(self._inside, EVENT_READ)
        self._bell, self._end = socket.socketpair()
        self._selector.register(self._bell, EVENT_READ)
        self._thread = Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.send(b"x")
        self._thread.join()
        for sock in (self._inside, self._bell, self._end, *self._out.values()):
            sock.close()
        self._selector.close()

    def _run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._bell:
                    return
                with suppress(OSError):  # the outer gateway is gone: its silence, too, is an answer
                    self._outwards() if key.data is None else self._inwards(key.data)

    def _outwards(self) -> None:
        data, host = self._inside.recvfrom(2048)
        if host not in self._out:
            self._out[host] = out = _bound(self._outside)
            self._selector.register(out, EVENT_READ, host)
        self._out[host].sendto(data, self._outer)

    def _inwards(self, host: Peer) -> None:
        self._inside.sendto(self._out[host].recv(2048), host)


def _bound(address: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, 0))
    return sock
