"""An observer, a node, and paths that are stopped when a test ends."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.dispatch.observers import LONG, Eventually, Observer, Start, stopped
from tests.dispatch.static_backends import Known

from portmap.backends.nat import Nat
from portmap.dispatch.path_setup import PathSetup
from portmap.dispatch.port_mapping import PortMapping
from portmap.loop.policy import Policy
from portmap.model import PortRequest
from portmap.node.local_node import LocalNode


@pytest.fixture
def observer() -> Observer:
    return Observer()


@pytest.fixture
def node() -> LocalNode:
    return LocalNode(clock=lambda: 0)


@pytest.fixture
def start(observer: Observer, node: LocalNode) -> Iterator[Callable[..., PortMapping]]:
    """Starts a path with these requests in its inbox; ends it after the test."""
    started: list[PortMapping] = []

    def run(backend: Any, *requests: PortRequest, policy: Policy | None = None) -> PortMapping:
        running = PortMapping(PathSetup(Nat(backend, "fake")), node, observer, policy)
        for request in requests:
            running.register(request)
        running.start()
        started.append(running)
        return running

    yield run
    for running in started:
        running.stop()
        assert running.join(LONG)


@pytest.fixture
def static(start: Start, observer: Observer, eventually: Eventually) -> Callable[..., None]:
    """Runs the static path until so many ports were told, and ends it."""

    def run(backend: Known, *requests: PortRequest) -> None:
        running = start(backend, *requests)
        eventually(lambda: len(observer.events) > len(requests) and observer.records)
        stopped(running)

    return run
