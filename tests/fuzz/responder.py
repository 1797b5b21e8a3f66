"""`portmap echo` and its client: requests from anywhere, and what a responder answers."""

import json
from contextlib import suppress
from ipaddress import ip_address

from portmap.errors import Garbled, Refused
from portmap.model import Protocol
from portmap.reachability.echo import EchoAnswer
from portmap.reachability.responder.answers import Try, answer_to, client_of
from portmap.reachability.responder.http import MAX_HEAD, BadRequest, parse_request

LIMIT = MAX_HEAD
_PROXY = ip_address("192.0.2.1")
_PORT = 8080

REQUESTS = (
    b"GET /port/8080?protocol=udp&token=abcdefgh HTTP/1.1\r\nHost: h\r\nAccept: application/json\r\n",
    b"GET /port/1 HTTP/1.0\r\nX-Real-IP: 203.0.113.7\r\n",
    b"GET / HTTP/1.1\r\nX-Forwarded-For: 10.0.0.1, 203.0.113.7\r\n",
    b"POST /json HTTP/1.1\r\n",
)
REQUEST_WORDS = (
    *(
        b"GET ",
        b" HTTP/1.1\r\n",
        b"/port/",
        b"65536",
        b"?",
        b"&",
        b"=",
        b"protocol=udp",
        b"token=",
        b"%",
        b"%00",
        b"//",
    ),
    *(
        b"X-Real-IP: ",
        b"X-Forwarded-For: ",
        b"::ffff:1.2.3.4",
        b"fe80::1%x",
        b"224.0.0.1",
        b",",
        b"\r\n",
        b":",
        b"[",
        b"]",
    ),
    *(b"\0", b"\xff", b"a: b\r\n", b"HTTP/1.", b"#", b"a" * 300),
)
ANSWERS = (
    b'{"ip": "203.0.113.7", "port": 8080, "reachable": true}',
    b'{"ip": "::1", "port": 8080, "protocol": "udp", "sent": true}',
    b'{"ip": 1, "port": true}',
)
ANSWER_WORDS = (
    *(b"{", b"}", b"[", b"]", b",", b":", b'"', b"null", b"true", b"NaN", b"1e999", b"9" * 400, b"-1", b"[" * 50),
    *(b'"ip": ', b'"port": 8080', b'"reachable": ', b'"protocol": ', b'"sent": true', b'"fe80::1%x"', b'"\\ud800"'),
)


def request(data: bytes) -> None:
    """Every request gets an answer, or is told why not; only the client's own address is tried."""
    with suppress(BadRequest):
        found = parse_request(data)
        for proxy in (None, _PROXY):
            with suppress(BadRequest):
                client = client_of(found, _PROXY, proxy)
                answer = answer_to(found, client)
                if isinstance(answer, Try):
                    assert 1 <= answer.port <= 65535
                    assert answer.address == client
                    answer.answer(reached=True).to_bytes()
                else:
                    answer.to_bytes()


def answer(data: bytes) -> None:
    """As `wire.site` reads it: what is no JSON is None."""
    content = None
    with suppress(ValueError, RecursionError):
        content = json.loads(data)
    for protocol in Protocol:
        with suppress(Garbled, Refused):
            found = EchoAnswer.parse(content, _PORT, protocol)
            assert found.port == _PORT
            assert found.reachable in (True, False, None)
