"""Two scripted gateways, and the backend `any` in front of them."""

import pytest
from tests.backends.scripted_gateways import A, B, Gateway

from portmap.backends.any.backend import AnyBackend
from portmap.backends.any.race import Race
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
