"""Bytes: the service on the LAN host, and the knock on it from the internet.

Every knock is a new flow. An established one lives on in the router's connection table after its mapping is gone, and
would prove nothing.
"""

import secrets
import select
import socket
import socketserver
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Self, TypeVar

T = TypeVar("T")

_ANSWER = b"heard: "
TIMEOUT = 0.25  # seconds for an answer that has three namespaces to cross
_EVERY = 0.05  # seconds between two knocks, where the moment counts
_AT_ONCE = 16  # so many of these are waited for at once; less than the second after which a lost SYN is repeated
LATE = 0.4  # seconds more for a busy machine; the kernel repeats a lost SYN after 1 s (RFC 6298 §2)


class _AnswerTCP(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.settimeout(2)
        self.request.sendall(_ANSWER + self.request.recv(64))


class _AnswerUDP(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        data, listener = self.request
        listener.sendto(_ANSWER + data, self.client_address)


class _TCP6(socketserver.TCPServer):
    address_family = socket.AF_INET6


class _UDP6(socketserver.UDPServer):
    address_family = socket.AF_INET6


class Service:
    """Listens on one port, TCP and UDP, and answers every message with itself; make it inside a namespace.

    At the address `::` it is there for IPv4 and IPv6.
    """

    def __init__(self, address: str, port: int) -> None:
        tcp, udp = (_TCP6, _UDP6) if ":" in address else (socketserver.TCPServer, socketserver.UDPServer)
        self._servers = tcp((address, port), _AnswerTCP), udp((address, port), _AnswerUDP)
        self._threads = [threading.Thread(target=server.serve_forever, args=(0.02,)) for server in self._servers]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop listening."""
        for server, thread in zip(self._servers, self._threads, strict=True):
            server.shutdown()
            server.server_close()
            thread.join()


def knock(protocol: str, address: str, port: int, timeout: float = TIMEOUT, *, late: float = 0.0) -> bool:
    """Send a few random bytes and tell whether the service answered them. Call it inside a namespace.

    Two quick tries: miniupnpd renews a NAT-PMP lease by deleting its rule and adding it again, which leaves the router
    deaf for a millisecond or two that no client can help. `late`: for so many seconds more an answer to either counts,
    as on a busy machine the service may be slow to answer what has arrived; less than the second after which TCP
    repeats what was lost.
    """
    with ExitStack() as stack:
        tries = []
        for _ in range(2):
            tries.append(stack.enter_context(_Try(protocol, address, port)))
            if _first_answered(tries, timeout):
                return True
        return late > 0 and _first_answered(tries, late) is not None


def seconds_until_open(protocol: str, address: str, port: Callable[[], int], within: float) -> float:
    """Knock every 50 ms until the service answers; the seconds until the knock that was answered. Raises TimeoutError.

    `port` is asked before each knock. Call it inside a namespace.
    """
    begun = time.monotonic()
    tries: deque[_Try] = deque()
    try:
        while time.monotonic() < begun + within:
            if len(tries) == _AT_ONCE:
                tries.popleft().socket.close()
            tries.append(_Try(protocol, address, port()))
            if answered := _first_answered(tries, _EVERY):
                return answered.begun - begun
            time.sleep(max(0.0, tries[-1].begun + _EVERY - time.monotonic()))  # where all were refused at once
    finally:
        for each in tries:
            each.socket.close()
    raise TimeoutError(f"{protocol} stays shut for {within} s")


class _Try:
    """One flow: bytes sent, an answer awaited. Nothing here blocks."""

    def __init__(self, protocol: str, address: str, port: int) -> None:
        kind = socket.SOCK_STREAM if protocol == "TCP" else socket.SOCK_DGRAM
        self._token = secrets.token_hex(8).encode()
        self.begun = time.monotonic()
        self.sent = False
        self.failed = False
        self.socket = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
        self.socket.setblocking(False)
        self._attempt(lambda: self.socket.connect((address, port)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def proceed(self) -> bool:
        """Send, or receive once that is done; whether the answer has come."""
        if not self.sent:
            self._attempt(lambda: self.socket.send(self._token))
            self.sent = True
            return False
        answer = self._attempt(lambda: self.socket.recv(64))
        self.failed = self.failed or answer is not None
        return answer == _ANSWER + self._token

    def _attempt(self, act: Callable[[], T]) -> T | None:
        try:
            return act()
        except BlockingIOError:  # not yet
            return None
        except OSError:  # refused, or unreachable
            self.failed = True
            return None


def _first_answered(tries: Iterable[_Try], timeout: float) -> _Try | None:
    """The first of them to be answered within so many seconds; at once None where none can be answered any more."""
    deadline = time.monotonic() + timeout
    while open_ := {each.socket: each for each in tries if not each.failed}:
        receiving = [sock for sock, each in open_.items() if each.sent]
        sending = [sock for sock, each in open_.items() if not each.sent]
        ready = select.select(receiving, sending, [], max(0.0, deadline - time.monotonic()))
        for each in (open_[sock] for sock in ready[0] + ready[1]):
            if each.proceed():
                return each
        if time.monotonic() >= deadline:
            break
    return None


def reach(address: str, port: int, timeout: float = TIMEOUT) -> bool:
    """Whether a TCP connection is accepted there: for programs that have a service of their own."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as link:
        link.settimeout(timeout)
        return link.connect_ex((address, port)) == 0


class Vigil:
    """Knocks every 100 ms on a thread of its own until closed; `missed` holds the moments without an answer."""

    def __init__(self, knock: Callable[[], bool]) -> None:
        self.knocks = 0
        self.missed: list[float] = []
        self._knock = knock
        self._begun = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    @property
    def seconds(self) -> float:
        """How long it has been going on."""
        return time.monotonic() - self._begun

    def close(self) -> None:
        """End the vigil."""
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            moment = self.seconds
            if not self._knock():
                self.missed.append(round(moment, 1))
            self.knocks += 1
