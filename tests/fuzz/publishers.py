"""What publishers read: URLs that users write, and what sites answer."""

import os
import socket
import time
from contextlib import suppress

from portmap.wire.http import BODY_LIMIT, MAX_WORDS, HttpFault, HttpRequest, exchange
from portmap.wire.site import Site

URLS = (
    b"http://me:p%40ss@nas.lan:8080/hook?key=1",
    b"https://[::1]:8443/#pin=" + b"ab:" * 31 + b"ab",
    b"https://h#ca=/etc/ssl/x.pem",
)
URL_WORDS = (b"http://", b"https://", b"@", b":", b"/", b"?", b"#", b"#ca=", b"#pin=", b"[", b"]", b"%", b"%00", b" ")


def site_url(data: bytes) -> None:
    site = Site.parse(os.fsdecode(data))
    assert site.scheme in {"http", "https"}
    assert site.host
    assert 1 <= site.port <= 65535
    assert site.path.startswith("/")
    assert site.path.isascii()
    assert site.path.isprintable()
    assert " " not in site.path
    assert site.basic.keys() <= {"Authorization"}


def site_answer(data: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, suppress(HttpFault, OSError):
        theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
        answer = exchange(ours, "h", HttpRequest(), deadline=time.monotonic() + 5)
        assert len(answer.body) <= BODY_LIMIT
        assert len(answer.words) <= MAX_WORDS
        assert answer.words.isprintable()
