"""The responder: what it answers, what it tries, and its bounds. On loopback, with real sockets."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from ipaddress import IPv4Address, ip_address

import pytest

from portmap.errors import PortmapError
from portmap.model import Protocol
from portmap.reachability.echo import EchoClient
from portmap.reachability.responder import server
from portmap.reachability.responder.answers import Try, answer_to, client_of
from portmap.reachability.responder.http import BadRequest, Request, Response, parse_request
from portmap.reachability.responder.rate_limit import MAX_OF_ONE, Places, RateLimit
from portmap.reachability.responder.server import Responder, listen
from portmap.reachability.responder.try_port import try_port

CLIENT = IPv4Address("11.22.33.44")
TOKEN = "0123456789abcdef"  # noqa: S105  # no secret


def asked(target: str, **headers: str) -> Request:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return parse_request(f"GET {target} HTTP/1.1\r\n{lines}".encode())


# The answers, which are pure


@pytest.mark.parametrize("target", ["/", "/ip"])
def test_the_address_is_told_as_text(target: str) -> None:
    answer = answer_to(asked(target), CLIENT)
    assert isinstance(answer, Response)
    assert (answer.body, answer.content_type) == ("11.22.33.44\n", "text/plain")


@pytest.mark.parametrize("request_", [asked("/json"), asked("/", Accept="application/json")])
def test_the_address_is_told_as_json(request_: Request) -> None:
    answer = answer_to(request_, CLIENT)
    assert isinstance(answer, Response)
    assert json.loads(answer.body)["ip"] == "11.22.33.44"


def test_a_port_is_that_of_the_client_whatever_else_the_request_names() -> None:
    request = asked("/port/80?ip=8.8.8.8&host=8.8.8.8", X_Forwarded_For="8.8.8.8", X_Real_IP="8.8.8.8", Host="8.8.8.8")
    peer = client_of(request, CLIENT, None)
    assert answer_to(request, peer) == Try(CLIENT, 80, Protocol.TCP)


def test_udp_has_a_token() -> None:
    assert answer_to(asked(f"/port/80?protocol=udp&token={TOKEN}"), CLIENT) == Try(CLIENT, 80, Protocol.UDP, TOKEN)


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/port/0", 400),
        ("/port/65536", 400),
        ("/port/-1", 400),
        ("/port/", 400),
        ("/port/80/81", 400),
        ("/port/٨٠".encode().decode("latin-1"), 400),
        ("/port/80?protocol=sctp", 400),
        ("/port/80?protocol=udp", 400),
        ("/port/80?protocol=udp&token=short", 400),
        (f"/port/80?protocol=udp&token={'x' * 65}", 400),
        ("/port/80?protocol=udp&token=%00%00%00%00%00%00%00%00", 400),
        ("/country", 404),
        ("/port", 404),
    ],
)
def test_a_request_without_sense_is_an_error(target: str, status: int) -> None:
    with pytest.raises(BadRequest) as caught:
        answer_to(Request(*_split(target), {}), CLIENT)
    assert caught.value.status == status


def _split(target: str) -> tuple[str, dict[str, str]]:
    path, _, query = target.partition("?")
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    return path, {name: value.replace("%00", "\0") for name, _, value in pairs}


@pytest.mark.parametrize("address", ["224.0.0.1", "ff02::1", "0.0.0.0", "::"])  # noqa: S104  # nothing is bound
def test_an_address_that_is_no_hosts_is_not_tried(address: str) -> None:
    with pytest.raises(BadRequest):
        answer_to(asked("/port/80"), ip_address(address))


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"GET",
        b"GET / HTTP/2",
        b"GET http://elsewhere/ HTTP/1.1",
        b"GET //[ HTTP/1.1",
        b"GET /\xff HTTP/1.1",
        b"GET  / HTTP/1.1",
        b"POST / HTTP/1.1",
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 100,
        b"GET /?" + b"a=b&" * 100 + b" HTTP/1.1",
    ],
)
def test_what_is_no_get_request_is_refused(head: bytes) -> None:
    with pytest.raises(BadRequest):
        answer_to(parse_request(head), CLIENT)


def test_a_header_whose_value_is_not_ascii_costs_nothing() -> None:
    head = b"GET /port/80 HTTP/1.1\r\nUser-Agent: caf\xc3\xa9\r\nAccept: application/json"
    assert answer_to(parse_request(head), CLIENT) == Try(CLIENT, 80, Protocol.TCP)


# Sockets


@contextmanager
def running(responder: Responder) -> Iterator[int]:
    """The responder's port on loopback."""
    started = threading.Event()
    loop = asyncio.new_event_loop()
    until = asyncio.Event()

    async def serve() -> None:
        loop.call_soon(started.set)
        await responder.serve(listener, until)

    with listen("127.0.0.1", 0) as listener:
        port: int = listener.getsockname()[1]
        thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
        thread.start()
        started.wait(5)
        try:
            yield port
        finally:
            loop.call_soon_threadsafe(until.set)
            thread.join(5)
            loop.close()


@pytest.fixture
def port() -> Iterator[int]:
    with running(Responder(limit=RateLimit(pause=0.0))) as port:
        yield port


def talk(port: int, sent: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 5) as link:
        link.sendall(sent)
        link.settimeout(8)
        return b"".join(iter(lambda: link.recv(65536), b""))


def test_a_tcp_port_that_listens_is_reachable_and_a_shut_one_is_not(port: int) -> None:
    client = EchoClient.parse(f"http://127.0.0.1:{port}")
    with closing(socket.create_server(("127.0.0.1", 0))) as service:
        open_port = service.getsockname()[1]
        assert client.check(open_port, Protocol.TCP).reachable is True
    assert client.check(open_port, Protocol.TCP).reachable is False


def test_nothing_is_sent_to_a_tcp_port_that_is_tried(port: int) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as service:
        EchoClient.parse(f"http://127.0.0.1:{port}").check(service.getsockname()[1], Protocol.TCP)
        link, _ = service.accept()
        with link:
            assert link.recv(1) == b""


def test_a_udp_port_gets_one_datagram_with_the_token(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as service:
        service.bind(("127.0.0.1", 0))
        service.settimeout(5)
        answer = EchoClient.parse(f"http://127.0.0.1:{port}").check(service.getsockname()[1], Protocol.UDP, TOKEN)
        assert answer.reachable is None
        assert service.recv(2048) == TOKEN.encode()
        service.setblocking(False)
        with pytest.raises(BlockingIOError):
            service.recv(2048)


def test_an_address_that_asks_too_often_is_told_when_to_come_back() -> None:
    with running(Responder()) as port:
        first, second = (talk(port, b"GET /port/9 HTTP/1.1\r\n\r\n") for _ in range(2))
    assert first.startswith(b"HTTP/1.1 200 ")
    assert second.startswith(b"HTTP/1.1 429 ")
    assert b"Retry-After: 1\r\n" in second


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /port/99999 HTTP/1.1\r\n\r\n", b"400"),
        (b"DELETE / HTTP/1.1\r\n\r\n", b"405"),
        (b"GET / HTTP/1.1\r\n" + b"x" * 10_000, b"431"),
        (b"\0" * 100 + b"\r\n\r\n", b"400"),
    ],
)
def test_a_request_that_is_none_is_answered_with_an_error(port: int, sent: bytes, status: bytes) -> None:
    assert talk(port, sent).split(b" ")[1] == status


def test_a_client_that_says_nothing_is_let_go(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.1)
    assert talk(port, b"GET / HT").split(b" ")[1] == b"408"


@pytest.mark.parametrize("places", [Places(2, 9), Places(9, 2)])
def test_more_connections_than_the_bound_are_told_that_it_is_busy(places: Places) -> None:
    with running(Responder(places=places)) as port, ExitStack() as held:
        for _ in range(2):
            held.enter_context(closing(socket.create_connection(("127.0.0.1", port))))
        assert b" 503 " in _until_busy(port)


def test_one_address_that_holds_all_the_connections_it_can_keeps_no_other_from_being_answered() -> None:
    places = Places(capacity=32, of_one=4)  # small: both ends count against the descriptors of this process
    with running(Responder(places=places)) as port, ExitStack() as held:
        for _ in range(2 * places.capacity):
            silent = held.enter_context(closing(socket.socket()))
            silent.bind(("127.0.0.66", 0))
            silent.connect(("127.0.0.1", port))
        assert talk(port, b"GET /ip HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 200 ")


def test_all_clients_of_the_named_proxy_count_apart_though_their_connections_come_from_one_address() -> None:
    with running(Responder(IPv4Address("127.0.0.1"))) as port, ExitStack() as held:
        for _ in range(2 * MAX_OF_ONE):
            held.enter_context(closing(socket.create_connection(("127.0.0.1", port))))
        asked = b"GET /ip HTTP/1.1\r\nX-Real-IP: 11.22.33.44\r\n\r\n"
        assert talk(port, asked).endswith(b"\r\n11.22.33.44\n")


def _until_busy(port: int) -> bytes:
    """The connections before this one may not have been accepted yet."""
    answer = b""
    for _ in range(50):
        answer = talk(port, b"GET / HTTP/1.1\r\n\r\n")
        if b" 503 " in answer:
            break
    return answer


def test_more_tries_at_once_than_the_bound_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    responder = Responder(limit=RateLimit(pause=0.0))
    responder._tries = server.MAX_TRIES
    with running(responder) as port:
        assert talk(port, b"GET /port/9 HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 503 ")


def test_a_try_of_a_port_that_never_answers_ends_in_time() -> None:
    with closing(socket.socket()) as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with closing(socket.create_connection(full.getsockname())):  # from now on its backlog is full: SYNs are dropped
            wanted = Try(IPv4Address("127.0.0.1"), full.getsockname()[1], Protocol.TCP)
            asyncio.run(try_port(wanted, 0.2))
            assert asyncio.run(try_port(wanted, 0.2)) is False


def test_a_listener_that_cannot_be_had_is_told() -> None:
    with listen("127.0.0.1", 0) as taken, pytest.raises(PortmapError, match=r"cannot listen on 127\.0\.0\.1"):
        listen("127.0.0.1", taken.getsockname()[1])
