"""Ports of this host: one on which a program listens, and one that is free; and a responder."""

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest
from tests.reachability.test_responder import running

from portmap.reachability.echo import EchoClient
from portmap.reachability.responder.rate_limit import RateLimit
from portmap.reachability.responder.server import Responder


@pytest.fixture
def service() -> Iterator[int]:
    """A TCP port on which something listens."""
    with closing(socket.create_server(("", 0))) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def free_port() -> int:
    with closing(socket.create_server(("", 0))) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture
def responder() -> Iterator[EchoClient]:
    with running(Responder(limit=RateLimit(pause=0.0))) as port:
        yield EchoClient.parse(f"http://127.0.0.1:{port}")
