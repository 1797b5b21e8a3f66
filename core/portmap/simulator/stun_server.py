"""StunServer: a simulated STUN server on loopback (RFC 8489, binding only), which misbehaves on command.

    with StunServer(external_ip="1.2.3.4") as server:
        assert str(portmap.load(server.spec).external_ip()) == "1.2.3.4"

Loopback only. All state belongs to the reactor's thread.
"""

import math
import os
import socket
import struct
from binascii import crc32
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Self

from portmap.errors import PortmapError
from portmap.model import Address
from portmap.simulator.net.reactor import READ, Reactor

COOKIE = 0x2112A442  # §5
REQUEST, SUCCESS, ERROR = 0x0001, 0x0101, 0x0111
MAPPED, SOURCE, CHANGED, ERROR_CODE, XOR_MAPPED, SOFTWARE, FINGERPRINT = 1, 4, 5, 9, 0x20, 0x8022, 0x8028  # §18.3
WORDS = {300: "Try Alternate", 400: "Bad Request", 420: "Unknown Attribute", 500: "Server Error"}  # §14.8
DECOY = ip_address("6.6.6.6")  # what an answer says that is to be ignored


@dataclass(frozen=True, slots=True, kw_only=True)
class StunQuirks:
    """What is wrong with the server. The default is one without a fault."""

    silent: bool = False  # receives, and never answers
    lost_first: int = 0  # so many requests are lost
    slow: float = 0.0  # seconds that every answer takes
    garbage: bool = False  # answers with random bytes
    truncated: bool = False  # answers with the first half
    stray: bool = False  # an answer to another transaction comes first
    from_other_port: bool = False  # answers from another port
    rfc3489: bool = False  # knows only what was before 2008: no XOR-MAPPED-ADDRESS
    error: int = 0  # refuses, with this code
    fingerprint: bool = False  # adds one
    bad_fingerprint: bool = False  # adds a wrong one
    extra: int = 0  # adds an attribute of this type; below 0x8000 it must be understood


class StunServer:
    """States `external_ip`, or where there is none the address that a request came from. `asked`: requests received.

    Raises PortmapError where it cannot listen.
    """

    def __init__(
        self,
        address: str = "127.0.0.1",
        port: int = 0,
        *,
        external_ip: str | None = None,
        quirks: StunQuirks = StunQuirks(),
    ) -> None:
        self.external_ip = external_ip
        self.quirks = quirks
        self.asked = 0
        self.address = address
        self._sock = _listening(address, port)
        self.port: int = self._sock.getsockname()[1]
        self._reactor = Reactor("simulated STUN server", lambda: math.inf)

    @property
    def spec(self) -> str:
        """What to give to `--nat`."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"stun:{host}:{self.port}"

    def __enter__(self) -> Self:
        self._reactor.watch(self._sock, READ, self._ready)
        self._reactor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Answer no more; the port is shut. A second time does nothing."""
        if self._sock.fileno() >= 0:
            self._reactor.run(lambda: self._reactor.discard(self._sock))
            self._reactor.close()

    def _ready(self, _events: int) -> None:
        with suppress(OSError):  # Windows reports here that an earlier answer could not be delivered
            datagram, peer = self._sock.recvfrom(65535)
            self._handle(datagram, peer)

    def _handle(self, datagram: bytes, peer: tuple[str, int]) -> None:
        """Answer what is a binding request."""
        if len(datagram) < 20 or struct.unpack_from("!HHI", datagram) != (REQUEST, len(datagram) - 20, COOKIE):
            return
        self.asked += 1
        if self.quirks.silent or self.asked <= self.quirks.lost_first:
            return
        seen = ip_address(self.external_ip or peer[0])
        if self.quirks.stray:
            self._sock.sendto(_success(os.urandom(12), DECOY, peer[1], StunQuirks()), peer)
        answer = self._mangled(self._answer(datagram[8:20], seen, peer[1]))
        self._reactor.later(self.quirks.slow, lambda: self._send(answer, peer))

    def _answer(self, transaction: bytes, seen: Address, port: int) -> bytes:
        if self.quirks.error:
            return _refusal(transaction, self.quirks.error)
        return _success(transaction, seen, port, self.quirks)

    def _mangled(self, answer: bytes) -> bytes:
        if self.quirks.garbage:
            return os.urandom(len(answer))
        return answer[: len(answer) // 2] if self.quirks.truncated else answer

    def _send(self, answer: bytes, peer: tuple[str, int]) -> None:
        if self._sock.fileno() < 0:
            return
        with suppress(OSError), _listening(self.address, 0) as other:
            (other if self.quirks.from_other_port else self._sock).sendto(answer, peer)


def _success(transaction: bytes, seen: Address, port: int, quirks: StunQuirks) -> bytes:
    attributes = _attribute(SOFTWARE, b"portmap.testing")
    if quirks.rfc3489:
        attributes = b"".join(_attribute(kind, _address(seen, port)) for kind in (MAPPED, SOURCE, CHANGED))
    else:
        mask = COOKIE.to_bytes(4, "big") + transaction
        attributes += _attribute(XOR_MAPPED, _address(seen, port, mask))
    if quirks.extra:
        attributes += _attribute(quirks.extra, b"odd")
    if quirks.fingerprint or quirks.bad_fingerprint:
        begun = _message(SUCCESS, transaction, attributes + bytes(8))[:-8]  # its length counts the fingerprint: §14.7
        crc = crc32(begun) ^ 0x5354554E ^ (1 if quirks.bad_fingerprint else 0)
        attributes += _attribute(FINGERPRINT, crc.to_bytes(4, "big"))
    return _message(SUCCESS, transaction, attributes)


def _refusal(transaction: bytes, code: int) -> bytes:
    value = bytes((0, 0, code // 100, code % 100)) + WORDS.get(code, "").encode()
    return _message(ERROR, transaction, _attribute(ERROR_CODE, value))


def _message(kind: int, transaction: bytes, attributes: bytes) -> bytes:
    return struct.pack("!HHI", kind, len(attributes), COOKIE) + transaction + attributes


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def _address(seen: Address, port: int, mask: bytes = bytes(16)) -> bytes:
    """Zero, family, port, address; the mask hides the latter two (§14.2)."""
    packed = zip(seen.packed, mask, strict=False)
    hidden = bytes(byte ^ hide for byte, hide in packed)
    return struct.pack("!BBH", 0, 1 if seen.version == 4 else 2, port ^ int.from_bytes(mask[:2], "big")) + hidden


def _listening(address: str, port: int) -> socket.socket:
    if not ip_address(address).is_loopback:
        raise PortmapError(f"the simulated STUN server stays on loopback: {address} is elsewhere")
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.bind((address, port))
    except (OSError, OverflowError) as error:
        sock.close()
        raise PortmapError(f"the simulated STUN server cannot listen on {address} port {port} ({error})") from error
    return sock
