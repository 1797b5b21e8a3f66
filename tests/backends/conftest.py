"""Two scripted gateways, and the backend `any` in front of them."""

import threading
from collections.abc import Iterator

import pytest
from tests.backends.chained_gateways import (
    INNER,
    INNER_OUTSIDE,
    OUTER,
    PUBLIC,
    Hop,
    Log,
    chain_of,
)
from tests.backends.hanging_backends import Hung
from tests.backends.scripted_gateways import A, B, Gateway

from portmap.backends.any.backend import AnyBackend
from portmap.backends.any.race import Race
from portmap.backends.chain.chain_nat import ChainNat
from portmap.backends.nat import Nat


@pytest.fixture
def a() -> Gateway:
    """Wins the first round."""
    return Gateway(A)


@pytest.fixture
def b(a: Gateway) -> Gateway:
    """Answers, too, but a little later."""
    return Gateway(B, delay=0.02, after=a)


@pytest.fixture
def any_gateway(a: Gateway, b: Gateway) -> AnyBackend:
    return AnyBackend(Race(lambda: [Nat(a, "a"), Nat(b, "b")]))


@pytest.fixture
def hung() -> Iterator[Hung]:
    backend = Hung()
    yield backend
    backend.released.set()


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def log() -> Log:
    return []


@pytest.fixture
def inner(log: Log) -> Hop:
    return Hop(INNER, INNER_OUTSIDE, log)


@pytest.fixture
def outer(log: Log) -> Hop:
    return Hop(OUTER, PUBLIC, log)


@pytest.fixture
def chain(inner: Hop, outer: Hop) -> ChainNat:
    return chain_of(inner, outer)
