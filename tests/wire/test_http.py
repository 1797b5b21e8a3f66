"""A request to a site: it ends in time and reads no more than its limits, whatever the site does."""

import socket
import threading
import time

import pytest
from tests.stopwatch import Stopwatch
from tests.wire.website import WebSite

from portmap.errors import Garbled, PortmapError
from portmap.wire.http import BODY_LIMIT, HttpRequest, HttpResponse, exchange, request
from portmap.wire.site import Site
from portmap.wire.waiter import Waiter, WaiterClosed

SHORT = 0.3  # seconds


def asked(site: WebSite, deadline: float = 5.0) -> int:
    return request(Site.parse(site.url), deadline=deadline).status


def test_without_a_body_it_asks_with_get(site: WebSite) -> None:
    request(Site.parse(f"{site.url}/a"), "/b")
    assert [request.line for request in site.requests] == ["GET /b HTTP/1.1"]


def test_a_site_that_never_answers_is_an_error_in_time(site: WebSite) -> None:
    site.answer = b""
    with pytest.raises(PortmapError, match=r"did not answer within 0.3 s: is it running\?"):
        asked(site, SHORT)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\nX: " + b"x" * 9999, b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 9999])
def test_a_site_that_drips_is_an_error_in_time(answer: bytes, site: WebSite) -> None:
    site.answer, site.drip = answer, 0.002
    with Stopwatch() as watch, pytest.raises(PortmapError, match="did not answer within"):
        asked(site, 2 * SHORT)
    assert watch.seconds < 2


def test_a_silent_site_is_an_error_in_time_by_tls_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(PortmapError, match="did not answer within"):
            request(Site.parse(url), deadline=SHORT)


def test_a_site_that_is_not_running_is_an_error() -> None:
    with pytest.raises(PortmapError, match=r"http://127.0.0.1:1 cannot be reached: Connection refused: is it running"):
        request(Site.parse("http://127.0.0.1:1/"))


def test_an_answer_without_end_is_not_read_to_its_end(site: WebSite) -> None:
    site.answer = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (BODY_LIMIT + 1)
    with pytest.raises(Garbled, match="the answer is too long"):
        asked(site)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "flood"),
    [
        (CHUNKED + b"-1\r\n", b"x" * 65536),
        (CHUNKED + b"7fffffffffffffff\r\n", b"x" * 65536),
        (CHUNKED + b"0\r\n", b"X: trailer\r\n" * 5000),
        (CHUNKED + b"1;", b"extension" * 7000),
        (CHUNKED, b"1\r\nx\r\n" * 10_000),
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n" * 2500),
        (b"HTTP/1.1 200 OK\r\n", b"X: header\r\n" * 5000),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", b"x" * 65536),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", b"x" * 65536),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536),
    ],
    ids=[
        "chunk-1",
        "huge-chunk",
        "trailers",
        "extension",
        "chunks",
        "interim",
        "headers",
        "length",
        "length-1",
        "body",
    ],
)
def test_an_endless_answer_is_hung_up_on(answer: bytes, flood: bytes, site: WebSite) -> None:
    site.answer, site.flood = answer, flood
    with pytest.raises(Garbled):
        asked(site)
    assert site.sent < 16 * BODY_LIMIT  # what the system's buffers hold comes on top of what was read


def test_a_name_with_a_dead_and_a_live_address_is_reached(site: WebSite, monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = [("127.0.0.1", 1), ("127.0.0.1", site.port)]
    found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", address) for address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert asked(site) == 200


def test_cookies_are_kept_apart(site: WebSite) -> None:
    site.answer = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2; Path=/\r\nContent-Length: 0\r\n\r\n"
    assert request(Site.parse(site.url)).cookies == ("a=1", "b=2; Path=/")


def test_a_page_is_told_in_its_words() -> None:
    page = b"<html><title>x</title><h1>403: Forbidden</h1><p>Too many\r\n  logins &amp; \x1b[0mmore</p>" + b"y" * 999
    words = HttpResponse(403, {}, page).words
    assert words.startswith("403: Forbidden Too many logins &amp; [0mmore y")
    assert len(words) == 200


def test_head_and_body_leave_in_one_packet() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
        asking = HttpRequest("POST", "/x", {"A": "b"}, b"body")
        assert exchange(ours, "h:1", asking, deadline=time.monotonic() + 1).status == 204
        sent = theirs.recv(4096)
    assert sent.startswith(b"POST /x HTTP/1.1\r\n")
    assert b"\r\nHost: h:1\r\n" in sent
    assert sent.endswith(b"\r\n\r\nbody")


def test_the_wait_for_an_answer_can_be_ended_by_another_thread() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, Waiter() as waiter:
        threading.Timer(0.05, waiter.close).start()
        with pytest.raises(WaiterClosed):
            exchange(ours, "h", HttpRequest(), deadline=time.monotonic() + 5, waiter=waiter)


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"\x00\xff\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 999 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx",
    ],
    ids=["ssh", "bytes", "status", "headers", "chunks", "short"],
)
def test_an_answer_that_is_no_http_is_an_error(answer: bytes, site: WebSite) -> None:
    site.answer = answer
    with pytest.raises(PortmapError):
        asked(site)


@pytest.mark.parametrize("body", [b"<html>", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_json_is_an_error(body: bytes, site: WebSite) -> None:
    site.answer = b"HTTP/1.1 200 OK\r\n\r\n" + body
    with pytest.raises(Garbled, match="did not answer with JSON"):
        request(Site.parse(site.url)).json()
