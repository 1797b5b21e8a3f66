"""A scripted UDP peer on loopback, with real sockets, and the fixtures that the tests of UDP protocols share.

A conftest imports the fixtures that its tests use.
"""

import itertools
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from threading import Thread
from typing import TypeAlias

import pytest

from portmap.wire import Timeouts

_STOP = b"stop"


class Peer:
    """Answers one datagram after the other as its script says; the last line holds for ever.

    A line is hexadecimal, with or without blanks. N is the nonce of a PCP request. "" is silence, "a; b" are two
    datagrams, "~a" comes from another socket.
    """

    def __init__(self, *script: str, address: str = "127.0.0.1", port: int = 0) -> None:
        self.heard: list[bytes] = []
        self.senders: list[str] = []
        self.ports: list[int] = []
        self._script = script or ("",)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.bind((address, port))
        self._other_socket = socket.socket(family, socket.SOCK_DGRAM)
        self.address = self._socket.getsockname()
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self.address[1])

    @property
    def heard_hex(self) -> list[str]:
        """Each datagram that was heard, in hexadecimal."""
        return [request.hex() for request in self.heard]

    @property
    def nonces(self) -> list[str]:
        """The nonce of each MAP that was heard."""
        return [request[24:36].hex() for request in self.heard if request[:2] == b"\2\1"]

    def _run(self) -> None:
        while True:
            request, sender = self._socket.recvfrom(2048)
            if request == _STOP:
                return
            line = self._script[min(len(self.heard), len(self._script) - 1)]
            self.heard.append(request)
            self.senders.append(sender[0])
            self.ports.append(sender[1])
            for datagram in filter(None, line.replace("N", request[24:36].hex()).split(";")):
                sender_socket = self._other_socket if "~" in datagram else self._socket
                sender_socket.sendto(bytes.fromhex(datagram.strip(" ~")), sender)

    def close(self) -> None:
        """Gone: from now on the port is closed. A second time does nothing."""
        if self._thread.is_alive():
            self._other_socket.sendto(_STOP, self.address)
            self._thread.join(5)
        self._socket.close()
        self._other_socket.close()


MakePeer: TypeAlias = Callable[..., Peer]
Clock: TypeAlias = Callable[[], float]
Announce: TypeAlias = Callable[..., None]
Until: TypeAlias = Callable[[Callable[[], object]], None]


@pytest.fixture
def peer() -> Iterator[MakePeer]:
    """`peer(*script, address=…, port=…)`: a Peer that ends with the test."""
    with ExitStack() as stack:

        def make(*script: str, address: str = "127.0.0.1", port: int = 0) -> Peer:
            made = Peer(*script, address=address, port=port)
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture
def patient() -> Timeouts:
    """For those who get an answer in the end, however slow the machine: what is sent again uses up the script."""
    return Timeouts(first_wait=0.1, deadline=5.0)


@pytest.fixture
def impatient() -> Timeouts:
    """Short timeouts, for peers that do not answer."""
    return Timeouts(first_wait=0.01, deadline=0.06)


@pytest.fixture
def ticking() -> Clock:
    """A clock that moves on by a second whenever it is looked at: timeout ends without a wait."""
    return partial(next, itertools.count())


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A loopback port that answers with ICMP "port unreachable"."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as placeholder:
        placeholder.bind(("127.0.0.1", 0))
        placeholder.connect(placeholder.getsockname())  # a connected socket is deaf to everybody else
        port: int = placeholder.getsockname()[1]
        yield port


@pytest.fixture
def announced_at() -> tuple[str, int]:
    """Where announcements are received: a loopback address of this test alone, in place of the multicast group."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as finder:
        finder.bind(("127.53.50.1", 0))
        found: tuple[str, int] = finder.getsockname()
        return found


@pytest.fixture
def announced_at_6() -> tuple[str, int]:
    """The same for IPv6."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as finder:
        finder.bind(("::1", 0))
        return "::1", int(finder.getsockname()[1])


@pytest.fixture
def announce() -> Announce:
    """`announce(at, *datagrams, by=…)`: in hexadecimal, from any port of that address."""

    def announce(at: tuple[str, int], *datagrams: str, by: str = "") -> None:
        ipv6 = ":" in at[0]
        with socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET, socket.SOCK_DGRAM) as sender_socket:
            sender_socket.bind((by or ("::1" if ipv6 else "127.0.0.1"), 0))
            for datagram in datagrams:
                sender_socket.sendto(bytes.fromhex(datagram), at)

    return announce


@pytest.fixture
def until() -> Until:
    """`until(condition)` waits until it holds, and fails if it never does."""

    def until(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 5
        while not condition():
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.002)

    return until
