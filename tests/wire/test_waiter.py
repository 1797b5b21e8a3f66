import socket
import threading
import time
from collections.abc import Iterator

import pytest

from portmap.errors import GatewayTimeout, NoGateway
from portmap.wire.waiter import HungUp, Line
from portmap_upnp.http import Request, exchange
from portmap_upnp.location import parse_url


@pytest.fixture
def line() -> Iterator[Line]:
    with Line() as line:
        yield line


def test_a_wait_ends_with_its_time(line: Line) -> None:
    assert line.wait(timeout=0.01) == frozenset()


def test_a_wait_ends_with_a_nudge_that_came_before(line: Line) -> None:
    line.nudge()
    assert line.wait() == frozenset()


def test_a_wait_ends_when_a_socket_can_be_read(line: Line) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.send(b"x")
        assert line.wait((ours,)) == {ours}


def test_every_wait_ends_once_the_line_is_hung_up(line: Line) -> None:
    threading.Timer(0.02, line.hang_up).start()
    for _ in range(2):
        with pytest.raises(HungUp):
            line.wait()


def test_to_nudge_or_hang_up_after_the_end_does_no_harm(line: Line) -> None:
    line.hang_up()
    line.nudge()
    line.hang_up()


def test_nudges_without_end_do_no_harm(line: Line) -> None:
    for _ in range(10_000):
        line.nudge()


def test_an_exchange_on_a_line_ends_when_it_is_hung_up(line: Line) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        threading.Timer(0.05, line.hang_up).start()
        began = time.monotonic()
        with pytest.raises(HungUp):
            exchange(
                parse_url(f"http://127.0.0.1:{silent.getsockname()[1]}/"), Request(), limit=9, patience=5, line=line
            )
    assert time.monotonic() - began < 1


def test_an_exchange_on_a_line_keeps_its_own_time(line: Line) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(GatewayTimeout):
        exchange(parse_url(f"http://127.0.0.1:{silent.getsockname()[1]}/"), Request(), limit=9, patience=0.1, line=line)


def test_a_closed_port_is_known_at_once_on_a_line_too(line: Line) -> None:
    with pytest.raises(NoGateway, match="refused"):
        exchange(parse_url("http://127.0.0.1:9/"), Request(), limit=9, patience=2, line=line)
