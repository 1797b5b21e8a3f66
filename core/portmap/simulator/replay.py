"""Replay: answers on loopback as the gateway did when `portmap doctor --capture FILE` was run.

    with Replay(Path("FILE").read_text()) as replay:
        ...     # ask replay.address at UDP port replay.port, fetch replay.description_url, search at replay.search_port

Rules:
- loopback only; what was not recorded is not answered;
- a question is known by its bytes, or by what comes nearest: the same SOAP action, the datagram of the same length and
  beginning that has the most bytes in common;
- the n-th time a question comes it gets the n-th answer, then the last one for ever;
- what a datagram's answer repeats of its question, such as a nonce, is taken from the present question;
- where the recorded router gave its own address, the replay gives its own.
"""

import json
import re
import socketserver
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from operator import eq
from typing import Any, Self

from portmap.errors import SpecError
from portmap.simulator.loopback import loopback_address

_BEGINNING = 2  # bytes that tell what a datagram asks: version and opcode (RFC 6886 §3.2, RFC 6887 §7.1)
_ACTION = re.compile(rb"<(?:\w+:)?Body[^>]*>\s*<(?:\w+:)?(\w+)")
_TARGET = re.compile(rb"(?im)^ST:[ \t]*(.*?)\r?$")
_POLL = 0.02  # seconds between a server's looks whether it shall end


@dataclass(slots=True)
class _Exchange:
    """One question and what it was answered, in turn."""

    peer: str
    head: str
    question: bytes
    answers: list[tuple[str, bytes]] = field(default_factory=list)

    def next_answer(self) -> tuple[str, bytes] | None:
        return (self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]) if self.answers else None


class Replay:
    """Plays a capture at `address`, inside `with`. Raises SpecError for a text that is none."""

    def __init__(self, capture: str, address: str = "", port: int = 0) -> None:
        self.address = address or loopback_address()
        self.port = port
        self.search_port = 0
        rows = _rows(capture)
        self._datagrams = _exchanges(rows, "udp")
        self._pages = _exchanges(rows, "http")
        self._search_answers = list(
            dict.fromkeys(_data(row) for row in rows if (row["over"], row["way"]) == ("ssdp", "in"))
        )
        self._moved: dict[bytes, bytes] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._open(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def description_url(self) -> str:
        """Where the first page was fetched from; empty where none was."""
        page = next((page for page in self._pages if page.head.startswith("GET ")), None)
        return f"http://{self._move(page.peer.encode()).decode()}{page.head.partition(' ')[2]}" if page else ""

    def _open(self, stack: ExitStack) -> None:
        if self._datagrams:
            self.port = self._serve(stack, _datagram_server(self.address, self.port, self._answer))
        if self._search_answers:
            self.search_port = self._serve(stack, _datagram_server(self.address, 0, self._answer_search))
        for peer in dict.fromkeys(page.peer for page in self._pages):
            port = self._serve(stack, _web_server(self.address, lambda *asked, peer=peer: self._page(peer, *asked)))
            self._moved[peer.encode()] = f"{self.address}:{port}".encode()

    def _serve(self, stack: ExitStack, server: socketserver.BaseServer) -> int:
        stack.callback(server.server_close)
        thread = threading.Thread(target=server.serve_forever, args=(_POLL,), daemon=True)
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.shutdown)
        return int(server.server_address[1])  # type: ignore[index]  # of an address family that has ports

    def _answer(self, question: bytes) -> list[bytes]:
        near = [it for it in self._datagrams if _is_like(it.question, question)]
        nearest = max(near, key=lambda it: sum(map(eq, it.question, question)), default=None)
        answer = nearest.next_answer() if nearest else None
        return [_echoing(nearest.question, question, answer[1])] if nearest and answer else []

    def _answer_search(self, search: bytes) -> list[bytes]:
        wanted = _TARGET.search(search)
        answers = [(_TARGET.search(answer), answer) for answer in self._search_answers]
        return [self._move(it) for target, it in answers if wanted and target and target[1] == wanted[1]]

    def _page(self, peer: str, head: str, body: bytes) -> tuple[int, bytes] | None:
        here = [page for page in self._pages if (page.peer, page.head) == (peer, head)]
        near = [page for page in here if page.question == body] or [
            page for page in here if _action(page.question) == _action(body)
        ]
        answer = near[0].next_answer() if near else None
        return (int(answer[0]), self._move(answer[1])) if answer else None

    def _move(self, text: bytes) -> bytes:
        """The same with the replay's addresses in place of the recorded ones."""
        for old, new in self._moved.items():
            text = text.replace(old, new)
        return text


def _rows(capture: str) -> list[dict[str, Any]]:
    try:
        head, *rows = [json.loads(line) for line in capture.splitlines()]
        version = head["v"]
        for row in rows:
            _check(row)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        message = f"no capture: {type(error).__name__}: {error}; make one with portmap doctor --capture FILE"
        raise SpecError(message) from error
    if version != 1:
        raise SpecError(f"the capture has version {version!r}, and only 1 can be played")
    return [row for row in rows if row.keys() >= {"talk", "way", "over", "peer"}]


def _check(row: dict[str, Any]) -> None:
    """Raises TypeError or ValueError for a row with a field of the wrong type."""
    _data(row)
    texts = [row[name] for name in ("way", "over", "peer", "head") if name in row]
    if not all(isinstance(text, str) for text in texts) or not isinstance(row.get("talk", 0), int):
        raise TypeError("a field has the wrong type")


def _data(row: dict[str, Any]) -> bytes:
    return bytes.fromhex(row["data"])


def _exchanges(rows: list[dict[str, Any]], over: str) -> list[_Exchange]:
    """Questions with their answers: an answer belongs to the last question of its talk, equal questions are one."""
    known: dict[tuple[str, str, bytes], _Exchange] = {}
    asked: dict[int, _Exchange] = {}
    for row in rows:
        if row["over"] != over:
            continue
        if row["way"] == "out":
            key = (row["peer"], row.get("head", ""), _data(row))
            asked[row["talk"]] = known.setdefault(key, _Exchange(*key))
        elif row["talk"] in asked:
            asked[row["talk"]].answers.append((row.get("head", ""), _data(row)))
    return list(known.values())


def _is_like(recorded: bytes, question: bytes) -> bool:
    return (len(recorded), recorded[:_BEGINNING]) == (len(question), question[:_BEGINNING])


def _echoing(recorded: bytes, question: bytes, answer: bytes) -> bytes:
    """The answer, with what it repeats of the recorded question at the same place taken from this one."""
    repeats = zip(recorded, question, answer, strict=False)
    changed = bytes(now if now != then and back == then else back for then, now, back in repeats)
    return changed + answer[len(changed) :]


def _action(body: bytes) -> bytes:
    found = _ACTION.search(body)
    return found[1] if found else b""


def _datagram_server(address: str, port: int, answer: Callable[[bytes], list[bytes]]) -> socketserver.UDPServer:
    class DatagramHandler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            question, sock = self.request
            for datagram in answer(question):
                sock.sendto(datagram, self.client_address)

    return socketserver.UDPServer((address, port), DatagramHandler)


def _web_server(address: str, page: Callable[[str, bytes], tuple[int, bytes] | None]) -> ThreadingHTTPServer:
    class PageHandler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # so http.server wants it
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, answer = page(f"{self.command} {self.path}", body) or (404, b"")
            self.send_response(status)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_SUBSCRIBE = do_POST  # noqa: N815  # as above

        def log_message(self, *_: object) -> None:
            """Nothing goes to stderr."""

    return ThreadingHTTPServer((address, 0), PageHandler)
