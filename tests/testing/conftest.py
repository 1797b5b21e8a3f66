"""A running router on loopback addresses of its own, and the ways a test speaks to it."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from typing import TypeAlias

import pytest

from portmap.testing import Router, loopback_address

Ask: TypeAlias = Callable[[int, bytes], bytes]
Fetch: TypeAlias = Callable[..., tuple[int, str]]
Start: TypeAlias = Callable[..., Router]
PATIENCE = 2.0  # seconds; a test that waits as long as this fails


class Clock:
    """Time that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def start(clock: Clock) -> Iterator[Start]:
    """Start a router with these arguments; it ends with the test."""
    with ExitStack() as stack:
        yield lambda **arguments: stack.enter_context(Router(loopback_address(), clock=clock, **arguments))


@pytest.fixture
def router(start: Start) -> Router:
    """A router without a fault."""
    return start()


@pytest.fixture
def sock() -> Iterator[socket.socket]:
    """A UDP socket of a LAN host."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(PATIENCE)
        yield sock


@pytest.fixture
def ask(router: Router) -> Iterator[Ask]:
    """Send a datagram to a port of the router and wait for the answer, from there and from nowhere else."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        sock.settimeout(PATIENCE)

        def exchange(port: int, data: bytes, patience: float = PATIENCE) -> bytes:
            sock.settimeout(patience)
            sock.connect((router.address, port))
            sock.send(data)
            return sock.recv(2048)

        yield exchange


@pytest.fixture
def fetch(router: Router) -> Fetch:
    """Make one HTTP request of the router: (status, body)."""

    def request(method: str, path: str, body: str = "", **headers: str) -> tuple[int, str]:
        with closing(HTTPConnection(router.address, router.http_port, timeout=PATIENCE)) as connection:
            connection.request(method, path, body.encode(), headers)
            response = connection.getresponse()
            return response.status, response.read().decode("latin-1")

    return request


@pytest.fixture
def service() -> Iterator[socket.socket]:
    """A TCP service of a LAN host, waiting for its first caller."""
    with closing(socket.create_server(("127.0.0.1", 0))) as sock:
        sock.settimeout(PATIENCE)
        yield sock


@pytest.fixture
def udp_service() -> Iterator[socket.socket]:
    """A UDP service of a LAN host."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(PATIENCE)
        yield sock
