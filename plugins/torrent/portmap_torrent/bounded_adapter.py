"""BoundedAdapter: the transport of `requests` that goes through `portmap.wire.http`.

The libraries for the torrent clients speak through `requests`, which has no limit for the size of an answer nor for its
whole duration, follows redirects, asks proxies and reads ~/.netrc. With this adapter they do none of it: every request
goes to the one site, bounded, with the certificate that the user named. The libraries also drop what the server says
when it refuses; the adapter keeps it.
"""

import io
import time
from collections.abc import Iterable, Mapping
from email.message import Message
from types import SimpleNamespace
from typing import Any

import requests
from requests.adapters import BaseAdapter

from portmap.errors import Garbled, PortmapError
from portmap.wire.http import SiteResponse, request
from portmap.wire.site import Site
from portmap_torrent.known_cookies import KnownCookies


class BoundedAdapter(BaseAdapter):
    """Sends the requests of one converge call: `begin` starts its time. `headers` go with every request.

    `answer` is the last answer, None before it; `failure` is why there was none; `target` is what was asked for.
    """

    def __init__(self, site: Site, deadline: float, headers: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self._headers = {**(headers or {}), "Accept-Encoding": "identity"}
        self._site = site
        self._deadline = deadline
        self._until = 0.0
        self._cookies = KnownCookies()
        self.answer: SiteResponse | None = None
        self.failure: PortmapError | None = None
        self.target = ""

    def begin(self) -> None:
        """The next requests have the time of one call together, however often a library tries again."""
        self._until = time.monotonic() + self._deadline
        self.answer = self.failure = None

    def mount(self, session: requests.Session) -> None:
        """Make it the only transport of a session, a new one."""
        self._cookies.forget()
        session.trust_env = False
        for prefix in list(session.adapters):
            session.mount(prefix, self)

    def close(self) -> None:
        """No connection outlives its request."""

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """One exchange. Raises requests.ConnectionError; why is in `failure`."""
        try:
            self.answer = None
            self.answer = answer = self._exchange(request)
        except PortmapError as error:
            self.failure = error
            raise requests.ConnectionError("no usable answer") from None
        return _as_response(request, answer, self._cookies.of(answer.cookies))

    def _exchange(self, asked: requests.PreparedRequest) -> SiteResponse:
        if self.failure is not None and time.monotonic() >= self._until:
            raise self.failure
        self.target = asked.path_url
        headers = {str(name): _text(value) for name, value in asked.headers.items()} | self._headers
        body = asked.body.encode() if isinstance(asked.body, str) else asked.body
        deadline = max(0.1, self._until - time.monotonic())
        answer = request(
            self._site, asked.path_url, _bytes_or_none(body), headers, method=asked.method or "", deadline=deadline
        )
        if 300 <= answer.status <= 399:
            raise answer.refusal()
        if answer.headers.get("content-encoding", "identity") != "identity":
            raise Garbled(f"{self._site} answered with a compressed body, which was not asked for")
        return answer


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _bytes_or_none(body: object) -> bytes | None:
    return body if isinstance(body, bytes) else None


class _Body(io.BytesIO):
    """A body that was read already, and the header lines in which `requests` looks for cookies."""

    def __init__(self, body: bytes, cookies: Iterable[str]) -> None:
        super().__init__(body)
        message = Message()
        for cookie in cookies:
            message["Set-Cookie"] = cookie
        self._original_response = SimpleNamespace(msg=message)  # the name that requests.cookies reads


def _as_response(asked: requests.PreparedRequest, answer: SiteResponse, cookies: Iterable[str]) -> requests.Response:
    response = requests.Response()
    response.status_code = answer.status
    response.headers.update(answer.headers)
    response.encoding = "utf-8"
    response.url = asked.url or ""
    response.request = asked
    response.raw = _Body(answer.body, cookies)
    return response
