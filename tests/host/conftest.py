"""What a portmap holds, and other portmaps of this host that may ask about it."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from portmap.host import neighbours
from portmap.host.claims import Claim, PortClaims
from portmap.model import Protocol

Make = Callable[[], PortClaims]
SECOND, THIRD = os.urandom(2)  # of an address that no other test run claims
WEB = Claim(f"127.{SECOND}.{THIRD}.1", Protocol.TCP, 8080, 443, "pcp 00ff", permanent=False)
OTHER_GATEWAY = Claim(f"127.{SECOND}.{THIRD}.2", Protocol.TCP, 8080, 443)


@pytest.fixture
def make() -> Iterator[Make]:
    with ExitStack() as stack:

        def claims() -> PortClaims:
            made = PortClaims()
            stack.callback(made.close)
            return made

        yield claims


@pytest.fixture
def among_ourselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only sockets of this process are asked: other tests of this host have some that never answer."""
    listed = neighbours.listed_sockets
    monkeypatch.setattr(neighbours, "listed_sockets", lambda: [it for it in listed() if f"-{os.getpid()}-" in it])
