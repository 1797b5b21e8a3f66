"""The exchange below: it ends in time and reads no more than it was told to, whatever the other side does."""

import socket
import time

import pytest
from tests.wire.website import WebSite

from portmap.errors import Garbled, PortmapError
from portmap.wire.http import LIMIT, Site, request

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
    begun = time.monotonic()
    with pytest.raises(PortmapError, match="did not answer within"):
        asked(site, 2 * SHORT)
    assert time.monotonic() - begun < 2


def test_a_silent_site_is_an_error_in_time_by_tls_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(PortmapError, match="did not answer within"):
            request(Site.parse(url), deadline=SHORT)


def test_nobody_there_is_an_error() -> None:
    with pytest.raises(PortmapError, match=r"http://127.0.0.1:1 cannot be reached: Connection refused: is it running"):
        request(Site.parse("http://127.0.0.1:1/"))


def test_an_answer_without_end_is_not_read_to_its_end(site: WebSite) -> None:
    site.answer = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (LIMIT + 1)
    with pytest.raises(Garbled, match="answered with over"):
        asked(site)


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
def test_what_is_no_http_is_an_error(answer: bytes, site: WebSite) -> None:
    site.answer = answer
    with pytest.raises(PortmapError):
        asked(site)


@pytest.mark.parametrize("body", [b"<html>", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_an_error(body: bytes, site: WebSite) -> None:
    site.answer = b"HTTP/1.1 200 OK\r\n\r\n" + body
    with pytest.raises(Garbled, match="is no JSON"):
        request(Site.parse(site.url)).json()
