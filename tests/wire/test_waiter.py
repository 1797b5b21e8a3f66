import socket
import threading
from collections.abc import Iterator

import pytest
from tests.stopwatch import Stopwatch

from portmap.errors import GatewayTimeout, NoGateway
from portmap.wire.waiter import Waiter, WaiterClosed
from portmap_upnp.http import Request, exchange
from portmap_upnp.location import parse_url


@pytest.fixture
def line() -> Iterator[Waiter]:
    with Waiter() as line:
        yield line


def test_a_wait_ends_with_its_time(line: Waiter) -> None:
    assert line.wait(timeout=0.01) == frozenset()


def test_a_wait_ends_with_a_nudge_that_came_before(line: Waiter) -> None:
    line.wake()
    assert line.wait() == frozenset()


def test_a_wait_ends_when_a_socket_can_be_read(line: Waiter) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.send(b"x")
        assert line.wait((ours,)) == {ours}


def test_every_wait_ends_once_the_line_is_hung_up(line: Waiter) -> None:
    threading.Timer(0.02, line.close).start()
    for _ in range(2):
        with pytest.raises(WaiterClosed):
            line.wait()


def test_to_nudge_or_hang_up_after_the_end_does_no_harm(line: Waiter) -> None:
    line.close()
    line.wake()
    line.close()


def test_nudges_without_end_do_no_harm(line: Waiter) -> None:
    for _ in range(10_000):
        line.wake()


def test_a_wait_ends_when_the_waiter_is_closed() -> None:
    with Waiter() as line:
        timer = threading.Timer(0.02, line.close)
        timer.start()
        with pytest.raises(WaiterClosed):
            line.wait(timeout=5.0)
        timer.join()


def test_a_line_once_hung_up_stays_so() -> None:
    with Waiter() as line:
        line.close()
        line.close()
        for _ in range(2):
            with pytest.raises(WaiterClosed):
                line.wait()


def test_a_wait_ends_when_its_time_is_up() -> None:
    with Waiter() as line:
        assert not line.wait(timeout=0.01)


def test_a_datagram_ends_the_wait_and_is_received() -> None:
    ours, theirs = socket.socketpair(type=socket.SOCK_DGRAM)
    with Waiter() as line, ours, theirs:
        theirs.send(b"news")
        assert line.wait([ours], timeout=5.0)
        assert line.receive(ours, 5.0) == b"news"


def test_receiving_nothing_is_a_timeout() -> None:
    ours, theirs = socket.socketpair(type=socket.SOCK_DGRAM)
    with Waiter() as line, ours, theirs, pytest.raises(TimeoutError):
        line.receive(ours, 0.01)


def test_an_exchange_on_a_line_ends_when_it_is_hung_up(line: Waiter) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        threading.Timer(0.05, line.close).start()
        with Stopwatch() as watch, pytest.raises(WaiterClosed):
            exchange(
                parse_url(f"http://127.0.0.1:{silent.getsockname()[1]}/"), Request(), limit=9, timeout=5, waiter=line
            )
    assert watch.seconds < 1


def test_an_exchange_on_a_line_keeps_its_own_time(line: Waiter) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(GatewayTimeout):
        exchange(
            parse_url(f"http://127.0.0.1:{silent.getsockname()[1]}/"), Request(), limit=9, timeout=0.1, waiter=line
        )


def test_a_closed_port_is_known_at_once_on_a_line_too(line: Waiter) -> None:
    with pytest.raises(NoGateway, match="refused"):
        exchange(parse_url("http://127.0.0.1:9/"), Request(), limit=9, timeout=2, waiter=line)
