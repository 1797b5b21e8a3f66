"""`--metrics`: hostile requests, and what may go wrong."""

import socket
import sys
import threading
from contextlib import ExitStack, suppress
from ipaddress import IPv6Address
from itertools import count
from pathlib import Path

import pytest
from tests.cli.scraped import ADDED, page

from portmap.cli.hold import page_server
from portmap.cli.hold.metrics import Metrics, parse_address, serve_metrics
from portmap.cli.hold.page_server import CONNECTIONS
from portmap.errors import SpecError

# attacks


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2].partition("/")[0])


def answer_to(url: str, request: bytes) -> str:
    """The status line, "" where the server hangs up."""
    with socket.create_connection(("127.0.0.1", port_of(url)), timeout=5) as sock:
        sock.sendall(request)
        return sock.makefile("rb").readline().decode().strip()


def descriptors_open() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def asked_for(host: str) -> bytes:
    return f"GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:9100", "localhost", "LOCALHOST:9100", "[::1]:9100", "10.0.0.9"]
)
def test_a_host_header_with_an_address_or_localhost_gets_the_page(url: str, host: str) -> None:
    assert answer_to(url, asked_for(host)) == "HTTP/1.1 200 OK"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:9100",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "",
        "1.2.3",
        "[x]",
        "[::1",
        "::1",
    ],
)
def test_a_host_header_with_a_name_is_refused(url: str, host: str) -> None:
    assert answer_to(url, asked_for(host)) == "HTTP/1.1 400 Bad Request"


def test_a_request_without_one_host_header_is_refused(url: str) -> None:
    assert answer_to(url, b"GET /metrics HTTP/1.0\r\n\r\n") == "HTTP/1.1 400 Bad Request"
    two = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n"
    assert answer_to(url, two) == "HTTP/1.1 400 Bad Request"


def test_many_silent_connections_cost_no_thread_and_no_scrape(metrics: Metrics, url: str) -> None:
    metrics.apply("", ADDED)
    before, descriptors = set(threading.enumerate()), descriptors_open()
    with ExitStack() as stack:
        silent = [stack.enter_context(socket.create_connection(("127.0.0.1", port_of(url)), 5)) for _ in range(300)]
        assert page(url)['portmap_mappings_up{session=""}'] == 1
        assert set(threading.enumerate()) <= before  # threads of earlier tests may end meanwhile
        assert descriptors_open() <= descriptors + len(silent) + CONNECTIONS


def test_a_byte_at_a_time_ends_at_the_deadline(metrics: Metrics, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_server, "DEADLINE", 0.3)
    with serve_metrics(metrics, "0") as url, socket.create_connection(("127.0.0.1", port_of(url)), 5) as sock:
        sock.settimeout(0.02)
        for number in count():
            assert number < 500, "the connection outlives its deadline"
            try:
                sock.send(b"G")
                assert sock.recv(1) == b""
            except TimeoutError:
                continue
            except ConnectionError:
                pass  # cut off with a byte of ours unread
            return


def test_a_head_without_end_is_cut_off(url: str) -> None:
    with suppress(ConnectionError):  # cut off while we were sending
        assert answer_to(url, b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 100_000) == ""


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        ("GET /nothing HTTP/1.1", "404 Not Found"),
        ("POST /metrics HTTP/1.1", "405 Method Not Allowed"),
        ("nonsense", "400 Bad Request"),
        ("GET /metrics HTTP/9", "400 Bad Request"),
        ("", "400 Bad Request"),
    ],
)
def test_another_request_gets_no_page(url: str, request_line: str, status: str) -> None:
    assert answer_to(url, f"{request_line}\r\nHost: localhost\r\n\r\n".encode()) == f"HTTP/1.1 {status}"


# what may go wrong


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("9100", ("127.0.0.1", 9100)),
        ("0.0.0.0:9100", ("0.0.0.0", 9100)),  # noqa: S104  # parsed, not bound
        ("[::1]:9100", (str(IPv6Address("::1")), 9100)),
    ],
)
def test_an_address_is_read(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text", ["", "http", ":9100", "localhost:9100", "1.2.3.4:", "99999", "127.0.0.1:-1", "٣", "[x]:1"]
)
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="--metrics"):
        parse_address(text)


def test_a_taken_port_is_the_users_to_mend(metrics: Metrics) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SpecError, match="cannot listen there"), serve_metrics(metrics, str(port)):
            pytest.fail("it serves")


def test_without_the_extra_it_says_what_to_install(metrics: Metrics, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)  # as if it were not installed
    with pytest.raises(SpecError, match=r"pip install 'portmap-nat\[metrics\]'"), serve_metrics(metrics, "0"):
        pytest.fail("it serves")
