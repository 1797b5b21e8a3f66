"""What other programs of this host say: claims of ports, and requests for the page of metrics; the kernel's tables."""

import json
import os
from typing import cast

from tests.fuzz.files import JSON_WORDS

from portmap.cli.hold.page_server import MAX_HEAD, Page, answer_of
from portmap.host import claims
from portmap.host.claims import Claim, PortClaims
from portmap.host.neighbours import MAX_MESSAGE, Mailbox, Message, Sender, parse_sockets
from portmap.model import MAX_PORT, Protocol
from portmap.network.listening_sockets import parse_connections, parse_table
from portmap.reachability.prove_setting import LEAST, LONGEST, ProveSetting

MESSAGE_LIMIT = MAX_MESSAGE
REQUEST_LIMIT = MAX_HEAD
TABLE_LIMIT = 16 * 1024
_OTHER_USER = Sender(1, os.geteuid() + 1)
_CLAIM = Claim("192.168.1.1", Protocol.TCP, 8080, 443, "pcp 00ff")

QUESTIONS = (
    b'["holds", "192.168.1.1", "TCP", 8080]',
    b'["released", "192.168.1.1", "TCP", 8080]',
    b'["holds", "192.168.1.1", "UDP", "8080"]',
)
QUESTION_WORDS = (*JSON_WORDS, b'"holds"', b'"released"', b'"192.168.1.1"', b'"TCP"', b"8080", b"1e5", b"true")
ANSWERS = (b'[443, "00ff"]', b'[0, ""]', b"null")
ANSWER_WORDS = (*JSON_WORDS, b"443", b'"00ff"', b"true", b"65536")
SOCKETS = (
    (
        b"Num       RefCount Protocol Flags    Type St Inode Path\n"
        b"0000000000000000: 00000002 00000000 00000000 0002 01 20561 @portmap-claims-12-00ff\n"
        b"0000000000000000: 00000003 00000000 00000000 0001 03   510\n"
        b"0000000000000000: 00000002 00000000 00010000 0001 01 12345 /run/dbus/socket\n"
    ),
)
SOCKET_WORDS = (b"@", b"@portmap-claims-", b"\n", b"\r", b"\x85", b"\0", b" ", b"\t", b"/", b"0002 01 1 ", b"\xff")
_HEAD = b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
TABLES = (
    _HEAD
    + b"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0\n"
    + b"   1: 0100007F:1F90 0100007F:C000 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100 0 0\n",
    _HEAD
    + b"   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A"
    + b" 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0\n",
    _HEAD + b"   0: 00000000:1F90 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0 0\n",
)
TABLE_WORDS = (b":", b" ", b"\n", b"0A", b"07", b"01", b"00000000:1F90", b"0" * 33, b"F" * 40, b"-1", b"\xff", b"1F90")
REQUESTS = (
    b"GET /metrics HTTP/1.1\r\nHost: localhost:9100\r\nAccept: text/plain\r\nUser-Agent: Prometheus/2.45\r\n",
    b"HEAD / HTTP/1.0\r\nHost: [::1]\r\n",
    b"GET /metrics?x=1 HTTP/1.1\nhost: 127.0.0.1:1\n",
)
REQUEST_WORDS = (
    *(b"Host: ", b"Host: evil.example", b"localhost", b"127.0.0.1", b"[::1]", b"::ffff:1.2.3.4", b":", b"@", b","),
    *(
        b"GET ",
        b"POST ",
        b"/metrics",
        b"?",
        b" HTTP/1.1",
        b"\r\n",
        b"\n",
        b"\x85",
        b"\0",
        b"\xff",
        b"Accept: ",
        b"9" * 9,
    ),
)
PROOFS = (b"https://echo.example.org", b"http://me:p@[::1]:8080/x,every=5m", b"https://h/#pin=" + b"ab" * 32)
PROOF_WORDS = (b",every=", b"5s", b"0", b"1d", b"http://", b"https://", b"@", b"#", b"[", b"]", b"%", b" ", b"\xff")


class _Said:
    """In a mailbox's place: keeps what is sent."""

    def __init__(self) -> None:
        self.texts: list[bytes] = []

    def send(self, text: bytes, _address: str) -> bool:
        self.texts.append(text)
        return True


def claim_question(data: bytes) -> None:
    """Whatever another user asks, no token is told."""
    holder, said = PortClaims(), _Said()
    holder._claims[_CLAIM.key] = _CLAIM
    holder._handle(Message(data, _OTHER_USER, "\0x"), cast("Mailbox", said))
    for text in said.texts:
        assert json.loads(text) in (None, [443, ""])


def claim_answer(data: bytes) -> None:
    found = claims._holder(Message(data, _OTHER_USER, "\0x"))
    if found is not None:
        assert 0 <= found.external_port <= MAX_PORT
        assert found.token == ""
        assert str(found)


def unix_sockets(data: bytes) -> None:
    """No other socket than one of a portmap is ever written to."""
    for address in parse_sockets(data.decode("utf-8", "replace")):
        assert address.startswith("\0portmap-claims-")
        assert not any(map(str.isspace, address))


def socket_table(data: bytes) -> None:
    table = data.decode("ascii", "replace")
    for protocol in Protocol:
        assert all(str(found.address) for found, _ in parse_table(table, protocol))
    assert all(str(found.peer) for found in parse_connections(table, 0x1F90))


def metrics_request(data: bytes) -> None:
    """Every request has an answer, and only one that names an address or localhost has the page."""
    answer = answer_of(data, lambda _: Page(b"secret", "text/plain"))
    assert answer.startswith((b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 4"))
    assert b"secret" not in answer or b"host" in data.lower()


def proof(data: bytes) -> None:
    found = ProveSetting.parse(os.fsdecode(data))
    assert LEAST <= found.every <= LONGEST
