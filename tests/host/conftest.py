"""What a portmap holds, and other portmaps of this host that may ask about it."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest

from portmap.host import neighbours
from portmap.host.claims import Claim, PortClaims
from portmap.host.neighbours import Mailbox, Neighbours
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


@contextmanager
def answering(text: bytes, sender: Mailbox | None = None) -> Iterator[None]:
    """Another socket of this host, which answers every question with this text; `sender`: from a third one."""
    with closing(Mailbox(listed=True)) as asked:

        def serve() -> None:
            while (question := asked.receive(5)) and question.text != b"end":
                (sender or asked).send(text, question.address)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            Neighbours().tell(b"end")
            thread.join(10)
