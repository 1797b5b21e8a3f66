"""The simulated router as pytest fixtures, for any project: `pytest_plugins = "portmap.testing.pytest"`.

    def test_a_port_is_mapped(router):
        my_client(gateway=router.address)
        assert router.heard.map == 1

Every router has a loopback address of its own and ends with the test. Fixtures only: pytest runs as before.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, TypeAlias

import pytest

from portmap.simulator.loopback import loopback_address as own_address
from portmap.simulator.router import Router

RouterFactory: TypeAlias = Callable[..., Router]
"""`router_factory(**arguments)`: a started router; the arguments are those of `Router`, `address` is optional."""


@pytest.fixture
def loopback_address() -> str:
    """An address in 127.0.0.0/8 that no other test uses; 127.0.0.1 where there is no other."""
    return own_address()


@pytest.fixture
def router_factory() -> Iterator[RouterFactory]:
    """Start routers with arguments of one's own; they end with the test."""
    with ExitStack() as stack:

        def start(address: str | None = None, **arguments: Any) -> Router:
            return stack.enter_context(Router(address or own_address(), **arguments))

        yield start


@pytest.fixture
def router(router_factory: RouterFactory) -> Router:
    """A router without a fault, on an address of its own; `router.quirks` may be replaced at any time."""
    return router_factory()
