"""Simulated STUN servers, and a backend that asks them."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TypeAlias

import pytest

from portmap.testing import StunQuirks, StunServer
from portmap_stun import Server, Stun

SHORT = 0.4  # seconds, where no answer comes

Serve: TypeAlias = Callable[..., StunServer]
Ask: TypeAlias = Callable[..., Stun]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """`serve("1.2.3.4", quirk=…)`: a server that ends with the test."""
    with ExitStack() as stack:

        def start(external_ip: str | None = "1.2.3.4", *, at: str = "127.0.0.1", **quirks: float) -> StunServer:
            chosen = StunQuirks(**quirks)  # type: ignore[arg-type]  # the tests name them
            return stack.enter_context(StunServer(at, external_ip=external_ip, quirks=chosen))

        yield start


@pytest.fixture
def ask() -> Ask:
    """`ask(*servers)`: a backend that asks these, and is patient unless it is told otherwise."""

    def make(*servers: StunServer, timeout: float = 4.0) -> Stun:
        return Stun([Server(server.address, server.port) for server in servers], timeout=timeout)

    return make


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A loopback port that answers with ICMP "port unreachable"."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as placeholder:
        placeholder.bind(("127.0.0.1", 0))
        placeholder.connect(placeholder.getsockname())  # a connected socket is deaf to everybody else
        port: int = placeholder.getsockname()[1]
        yield port
