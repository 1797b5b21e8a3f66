"""The command, run to its end or held."""

import logging
import signal
from collections.abc import Callable, Iterator

import pytest
from tests.cli.opened_ports import Told
from tests.cli.run_command import Held, Ran
from tests.cli.scraped import Clock

from portmap.cli.hold.metrics import Metrics, serve_metrics
from portmap.cli.parser.app import main
from portmap.testing import Router, loopback_address


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Ran]]:
    """Runs a command in this process, and leaves no trace in it."""
    logger = logging.getLogger("portmap")
    before = logger.propagate, logger.level, list(logger.handlers)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def call(*words: str) -> Ran:
        with pytest.raises(SystemExit) as ended:
            main(words)
        told = capsys.readouterr()
        return Ran(int(ended.value.code or 0), told.out, told.err)

    yield call
    logger.propagate, logger.level, logger.handlers[:] = before
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def hold() -> Iterator[Callable[..., Held]]:
    """Starts commands, and ends those that a test leaves running."""
    started: list[Held] = []

    def start(*words: str, **environment: str) -> Held:
        started.append(Held(*words, **environment))
        return started[-1]

    yield start
    for held in started:
        if held.process.poll() is None:
            held.process.kill()
        held.process.communicate()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def metrics(clock: Clock) -> Metrics:
    return Metrics(clock)


@pytest.fixture
def url(metrics: Metrics) -> Iterator[str]:
    with serve_metrics(metrics, "0") as url:
        yield url


@pytest.fixture
def router() -> Iterator[Router]:
    with Router(loopback_address()) as simulated:
        yield simulated


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    """The lines on stdout and stderr since the last call."""

    def lines() -> list[str]:
        captured = capsys.readouterr()
        return [*captured.out.splitlines(), *captured.err.splitlines()]

    return lines
