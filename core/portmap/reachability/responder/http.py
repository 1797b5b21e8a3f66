"""The little HTTP that a responder needs: the head of a GET request, and a short answer. Pure. Bounded."""

import json
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

MAX_HEAD = 4096  # bytes of the request's line and headers
_MAX_HEADERS = 64


class BadRequest(Exception):
    """The request cannot be answered as it is; `status` says why."""

    def __init__(self, status: HTTPStatus, text: str = "") -> None:
        super().__init__(text or status.phrase)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """The head of a request. The names of `headers` are in lower case; of one name the last counts."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]

    @property
    def wants_json(self) -> bool:
        """Whether the client asks for JSON."""
        return "application/json" in self.headers.get("accept", "")


@dataclass(frozen=True, slots=True)
class Response:
    """A short answer."""

    body: str
    status: HTTPStatus = HTTPStatus.OK
    content_type: str = "application/json"
    retry_after: int | None = None

    def to_bytes(self) -> bytes:
        """The answer on the wire; the connection ends with it."""
        body = self.body.encode()
        lines = [
            f"HTTP/1.1 {self.status.value} {self.status.phrase}",
            f"Content-Type: {self.content_type}; charset=utf-8",
            f"Content-Length: {len(body)}",
            "Cache-Control: no-store",
            "Connection: close",
        ]
        if self.retry_after is not None:
            lines.append(f"Retry-After: {self.retry_after}")
        return "\r\n".join([*lines, "", ""]).encode("ascii") + body


def json_response(
    content: dict[str, object], status: HTTPStatus = HTTPStatus.OK, retry_after: int | None = None
) -> Response:
    """An answer in JSON, laid out as echoip does."""
    return Response(json.dumps(content, indent=2), status, retry_after=retry_after)


def error_response(error: BadRequest, retry_after: int | None = None) -> Response:
    """An error as echoip tells it."""
    return json_response({"status": error.status.value, "error": str(error)}, error.status, retry_after)


def parse_request(head: bytes) -> Request:
    """The head of a GET request. Raises BadRequest."""
    try:
        line, *rows = head.decode("latin-1").split("\r\n")  # a value may have any bytes: RFC 9110 §5.5
        method, target, version = line.split(" ")
        parts = urlsplit(target)
        query = parse_qs(parts.query, max_num_fields=8)
    except ValueError as error:
        raise BadRequest(HTTPStatus.BAD_REQUEST) from error
    if not version.startswith("HTTP/1.") or not target.startswith("/") or not target.isascii():
        raise BadRequest(HTTPStatus.BAD_REQUEST)
    if method != "GET":
        raise BadRequest(HTTPStatus.METHOD_NOT_ALLOWED, "only GET is answered")
    return Request(parts.path, {name: values[-1] for name, values in query.items()}, _headers(rows))


def _headers(rows: list[str]) -> dict[str, str]:
    if len(rows) > _MAX_HEADERS:
        raise BadRequest(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
    pairs = (row.partition(":") for row in rows if row)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}
