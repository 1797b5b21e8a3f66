"""The callback server by itself."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from ipaddress import IPv4Address

import pytest
from tests.stopwatch import Stopwatch

from portmap.wire.waiter import Waiter, WaiterClosed
from portmap_upnp.notifications.callback_server import LIMIT, TIMEOUT, CallbackServer

LOOPBACK = IPv4Address("127.0.0.1")


@pytest.fixture
def line() -> Iterator[Waiter]:
    with Waiter() as line:
        yield line


@pytest.fixture
def bell() -> Iterator[CallbackServer]:
    with closing(CallbackServer(LOOPBACK, LOOPBACK)) as bell:
        yield bell


def visit(bell: CallbackServer, *pieces: bytes, sender: str = "127.0.0.1") -> socket.socket:
    visitor = socket.create_connection(bell.sock.getsockname(), source_address=(sender, 0))
    for piece in pieces:
        visitor.sendall(piece)
    return visitor


def test_what_is_delivered_is_handed_on_and_thanked_for(bell: CallbackServer, line: Waiter) -> None:
    with visit(bell, b"NOTIFY /x HTTP/1.1\r\nContent-Length: 2\r\n\r\n", b"ab") as visitor:
        assert bell.receive(line).endswith(b"\r\n\r\nab")
        assert visitor.recv(100).startswith(b"HTTP/1.1 200 OK")


def test_an_event_whose_lines_end_with_a_line_feed_only_is_read_to_its_end(bell: CallbackServer, line: Waiter) -> None:
    with visit(bell, b"NOTIFY /x HTTP/1.1\nContent-Length: 2\n\n", b"ab"), Stopwatch() as watch:
        assert bell.receive(line).endswith(b"\n\nab")
    assert watch.seconds < TIMEOUT / 2


def test_an_event_without_a_length_ends_with_the_connection(bell: CallbackServer, line: Waiter) -> None:
    with visit(bell, b"NOTIFY /x HTTP/1.0\r\n\r\nabc") as visitor:
        visitor.shutdown(socket.SHUT_WR)
        assert bell.receive(line).endswith(b"abc")


def test_only_the_gateway_is_let_in(line: Waiter) -> None:
    with closing(CallbackServer(LOOPBACK, IPv4Address("127.0.0.2"))) as bell, visit(bell, b"NOTIFY") as visitor:
        assert bell.receive(line) == b""
        with pytest.raises(ConnectionResetError):
            visitor.recv(1)


def test_a_connection_that_sends_nothing_is_closed_in_time(bell: CallbackServer, line: Waiter) -> None:
    with Stopwatch() as watch, visit(bell):
        assert bell.receive(line) == b""
    assert watch.seconds < TIMEOUT + 0.5


def test_a_connection_that_sends_without_end_is_closed(bell: CallbackServer, line: Waiter) -> None:
    with visit(bell, b"x" * 3 * LIMIT):
        assert len(bell.receive(line)) <= 2 * LIMIT


def test_a_connection_that_sends_single_bytes_costs_little_cpu_time(bell: CallbackServer, line: Waiter) -> None:
    over = threading.Event()

    def drip(visitor: socket.socket) -> None:
        with suppress(OSError):
            while not over.wait(0.00005):  # as fast as the limit of bytes is not reached before the time is over
                visitor.send(b"x")

    with visit(bell) as visitor:
        visitor.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        thread = threading.Thread(target=drip, args=(visitor,))
        thread.start()
        began = time.thread_time()
        bell.receive(line)
        spent = time.thread_time() - began
        over.set()
        thread.join(10)
    assert spent < TIMEOUT / 10


def test_a_visit_ends_when_the_line_is_hung_up(bell: CallbackServer, line: Waiter) -> None:
    with visit(bell):
        threading.Timer(0.05, line.close).start()
        with Stopwatch() as watch, pytest.raises(WaiterClosed):
            bell.receive(line)
    assert watch.seconds < TIMEOUT / 2


def test_the_callback_server_is_only_on_our_own_address_and_at_a_secret_path(bell: CallbackServer) -> None:
    with closing(CallbackServer(LOOPBACK, LOOPBACK)) as other:
        assert bell.url.startswith("http://127.0.0.1:")
        assert bell.path != other.path
