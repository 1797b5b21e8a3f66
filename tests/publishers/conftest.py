"""Runners of publishers, which are closed when a test ends."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.publishers.recording_publishers import Start, closed

from portmap.publishers.convergence import RetrySchedule
from portmap.publishers.runner import PublisherRunner


@pytest.fixture
def start() -> Iterator[Start]:
    """Makes runners, which have ended when the test is over: the next test would hear of their last try."""
    runners: list[PublisherRunner] = []

    def make(publisher: Any, name: str = "acme", schedule: RetrySchedule | None = None) -> PublisherRunner:
        runners.append(PublisherRunner(publisher, name, schedule))
        return runners[-1]

    yield make
    for runner in runners:
        closed(runner)
