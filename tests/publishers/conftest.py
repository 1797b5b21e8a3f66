"""Runners of publishers, which are closed when a test ends."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.publishers.recording_publishers import Start

from portmap.publishers.convergence import RetrySchedule
from portmap.publishers.runner import PublisherRunner


@pytest.fixture
def start() -> Iterator[Start]:
    """Makes runners, which are closed when the test is over."""
    runners: list[PublisherRunner] = []

    def make(publisher: Any, name: str = "acme", schedule: RetrySchedule | None = None) -> PublisherRunner:
        runners.append(PublisherRunner(publisher, name, schedule))
        return runners[-1]

    yield make
    for runner in runners:
        runner.close()
