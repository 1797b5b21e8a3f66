"""As much HTTP/1.1 as UPnP needs of a server: bytes -> request, response -> bytes. One request a connection.

Pure. Bounded: a request holds at most `LONGEST_HEAD` and `LONGEST_BODY` bytes.
"""

import re
from dataclasses import dataclass, field
from http import HTTPStatus

LONGEST_HEAD = 8192
LONGEST_BODY = 65536
_LONGEST_CHUNK_HEAD = 100
_HEXADECIMAL = re.compile(rb"[0-9A-Fa-f]{1,8}")
SERVER = "portmap/1.0 UPnP/1.1 portmap.testing/1.0"  # UDA 1.1 §1.1.2: OS/version UPnP/1.1 product/version


class UnreadableRequest(Exception):
    """A request that is not read any further; `status` says why."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


@dataclass(frozen=True, slots=True)
class WebRequest:
    """One request. Header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class WebResponse:
    """One response; `headers` come beside those that every response has."""

    status: HTTPStatus = HTTPStatus.OK
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = 'text/xml; charset="utf-8"'

    def encode(self) -> bytes:
        """The bytes on the wire."""
        common = (
            ("Content-Type", self.content_type),
            ("Content-Length", str(len(self.body))),
            ("Server", SERVER),
            ("Connection", "close"),
            ("Ext", ""),
        )
        lines = "".join(f"{name}: {value}\r\n" for name, value in (*common, *self.headers))
        return f"HTTP/1.1 {self.status.value} {self.status.phrase}\r\n{lines}\r\n".encode("ascii") + self.body


def read(data: bytes) -> WebRequest | None:
    """The request, or None while it is incomplete. Raises UnreadableRequest."""
    head, end, body = data.partition(b"\r\n\r\n")
    if len(head) > LONGEST_HEAD:
        raise UnreadableRequest(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
    if not end:
        return None
    method, path, headers = _read_head(head)
    if headers.get("transfer-encoding", "").lower() == "chunked":
        whole = _read_chunks(body)
    else:
        length = _body_length(headers)
        whole = body[:length] if len(body) >= length else None
    return None if whole is None else WebRequest(method, path, headers, whole)


def _read_head(head: bytes) -> tuple[str, str, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    match first.split(" "):
        case [method, path, "HTTP/1.1" | "HTTP/1.0"]:
            return method, path, read_headers(lines)
    raise UnreadableRequest(HTTPStatus.BAD_REQUEST)


def read_headers(lines: list[str]) -> dict[str, str]:
    """Header lines as a dictionary, names in lower case; what is no header line is left out."""
    pairs = (line.partition(":") for line in lines)
    return {name.strip().lower(): value.strip() for name, colon, value in pairs if colon}


def _read_chunks(data: bytes) -> bytes | None:
    """A chunked body (RFC 9112 §7.1), without its trailers; None while it is incomplete. Raises UnreadableRequest."""
    body = b""
    while True:
        size, end, data = data.partition(b"\r\n")
        digits = size.partition(b";")[0].strip()  # what follows is an extension
        if len(size) > _LONGEST_CHUNK_HEAD or (end and not _HEXADECIMAL.fullmatch(digits)):
            raise UnreadableRequest(HTTPStatus.BAD_REQUEST)
        if not end:
            return None
        length = int(digits, 16)
        if len(body) + length > LONGEST_BODY:
            raise UnreadableRequest(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        if length == 0:
            return body if data.startswith(b"\r\n") or b"\r\n\r\n" in data else None
        if len(data) < length + 2:
            return None
        body, data = body + data[:length], data[length + 2 :]


def _body_length(headers: dict[str, str]) -> int:
    if "transfer-encoding" in headers:
        raise UnreadableRequest(HTTPStatus.NOT_IMPLEMENTED)
    text = headers.get("content-length", "0")
    if not (text.isascii() and text.isdigit()):
        raise UnreadableRequest(HTTPStatus.BAD_REQUEST)
    length = int(text) if len(text) < 10 else LONGEST_BODY + 1
    if length > LONGEST_BODY:
        raise UnreadableRequest(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    return length
