import socket
import struct
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest
from tests.stopwatch import Stopwatch

from portmap.errors import Garbled, GatewayTimeout, NoGateway
from portmap_upnp.http import Reply, Request, exchange
from portmap_upnp.location import Location

if TYPE_CHECKING:
    from tests.upnp.conftest import WebServers


def content(reply: Reply) -> tuple[int, bytes]:
    return reply.status, reply.body


def test_a_body_is_fetched(serve: "WebServers") -> None:
    assert content(exchange(serve.body(b"hello"), Request(), limit=5, timeout=2)) == (200, b"hello")


def test_a_chunked_body_is_fetched(serve: "WebServers") -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
    assert content(exchange(serve.raw(chunked), Request(), limit=9, timeout=2)) == (200, b"hello")


def test_a_body_without_a_length_ends_with_the_connection(serve: "WebServers") -> None:
    assert content(exchange(serve.raw(b"HTTP/1.0 200 OK\r\n\r\nhello"), Request(), limit=9, timeout=2)) == (
        200,
        b"hello",
    )


def test_a_body_shorter_than_announced_is_handed_on_since_routers_miscount(serve: "WebServers") -> None:
    miscounted = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"
    assert content(exchange(serve.raw(miscounted), Request(), limit=9, timeout=2)) == (200, b"hello")


DOCUMENTS = [
    b"<root>x</root>",
    b"<s:Envelope>x</s:Envelope>\r\n",
    b"<ENVELOPE></ENVELOPE >",
    b"<root>x</root>\0",
    b"<root>x</root>" + b"\r\n" * 20 + b"\0\0",
    b"<HTML>Not found</HTML>\n",
]
ENDLESS = [
    b"HTTP/1.1 200 OK\r\n\r\n%b",
    b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n%b",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n",
]


@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.parametrize("response", ENDLESS, ids=["no length", "too long a length", "no last chunk"])
@pytest.mark.parametrize("is_reset", [False, True], ids=["left open", "reset"])
def test_a_document_that_is_complete_ends_a_body_that_has_no_end(
    serve: "WebServers", document: bytes, response: bytes, *, is_reset: bool
) -> None:
    def visit(visitor: socket.socket, _: bytes) -> None:
        visitor.sendall(response % ((len(document), document) if b"%x" in response else document))
        if is_reset:
            visitor.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            visitor.recv(1)  # until the client leaves

    with Stopwatch() as watch:
        reply = exchange(serve.visit(visit), Request(), limit=99, timeout=2)
    assert content(reply) == (200, document)
    assert watch.seconds < 1


def test_a_document_that_comes_byte_by_byte_is_read_to_its_end(serve: "WebServers") -> None:
    dripped = serve.drip(b"HTTP/1.0 200 OK\r\n\r\n<a>x</a><root>y</root>", every=0.001)
    assert content(exchange(dripped, Request(), limit=99, timeout=2)) == (200, b"<a>x</a><root>y</root>")


def test_a_body_is_posted_with_its_length_and_headers(serve: "WebServers") -> None:
    heard: list[bytes] = []

    def visit(visitor: socket.socket, request: bytes) -> None:
        heard.append(request)
        visitor.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    exchange(serve.visit(visit), Request("POST", {"SOAPAction": '"x#Y"'}, b"<a/>"), limit=9, timeout=2)
    assert heard[0].startswith(b"POST /desc.xml HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b'\r\nSOAPAction: "x#Y"\r\n' in heard[0]
    assert heard[0].endswith(b"\r\n\r\n<a/>")


def test_a_redirect_is_not_followed(serve: "WebServers") -> None:
    target = serve.body(b"secret")
    answer = f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode()
    assert content(exchange(serve.raw(answer), Request(), limit=9, timeout=2)) == (302, b"")


def test_one_byte_too_many_is_too_many(serve: "WebServers") -> None:
    with pytest.raises(Garbled, match="over 4 bytes"):
        exchange(serve.body(b"hello"), Request(), limit=4, timeout=2)


def test_a_drip_feed_ends_at_the_timeout(serve: "WebServers") -> None:
    with Stopwatch() as watch, pytest.raises(GatewayTimeout, match=r"within 0\.2 s"):
        exchange(serve.drip(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 30, every=0.02), Request(), limit=9, timeout=0.2)
    assert watch.seconds < 0.4


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\n", b"A: " + b"b" * 60_000 + b"\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", b"x" * 10_000),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"trailer\r\n" * 100),
    ],
    ids=["interim answers", "headers", "a chunk of size -1", "trailers"],
)
def test_what_has_no_end_is_cut_off_whatever_it_is_wrapped_in(serve: "WebServers", begin: bytes, more: bytes) -> None:
    def visit(visitor: socket.socket, _: bytes) -> None:
        visitor.sendall(begin)
        while True:
            visitor.sendall(more)

    with pytest.raises(Garbled, match="over 9 bytes"):
        exchange(serve.visit(visit), Request(), limit=9, timeout=2)


@pytest.mark.parametrize(
    "response",
    [
        b"\x00\x01\x02\x03\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-" + b"f" * 16 + b"\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"b" * 70_000 + b"\r\n\r\n",
    ],
    ids=["binary", "status", "ssh", "chunk size", "chunk size beyond C", "many headers", "long header"],
)
def test_what_is_no_http_is_garbled(serve: "WebServers", response: bytes) -> None:
    with pytest.raises(Garbled):
        exchange(serve.raw(response), Request(), limit=50, timeout=2)


def test_a_closed_port_is_no_gateway_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(NoGateway, match="refused"):
        exchange(Location(IPv4Address("127.0.0.1"), port, "/"), Request(), limit=9, timeout=2)


def test_a_connection_shut_without_a_word_is_an_error_of_ours(serve: "WebServers") -> None:
    with pytest.raises((NoGateway, Garbled)):
        exchange(serve.raw(b""), Request(), limit=9, timeout=2)
