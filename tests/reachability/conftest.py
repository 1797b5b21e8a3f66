"""Ports of this host: one on which a program listens, and one that is free."""

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest


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
