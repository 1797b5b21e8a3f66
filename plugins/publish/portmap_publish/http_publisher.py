"""The publishers `http:URL` and `https:URL`: all of the state as JSON, by POST; any status of success will do.

`http://HOST/PATH` is a spec as it stands: the URL's scheme is the publisher's name. No redirect is followed, no proxy
is asked. Of the URL only host and port are ever shown: webhooks have their secrets in path and query.
"""

import json
import logging
import time
from email.utils import parsedate_to_datetime
from typing import ClassVar

from portmap.endpoints import Endpoints
from portmap.errors import SpecError
from portmap.hookspecs import hookimpl
from portmap.wire.http import DEADLINE, HttpResponse, request
from portmap.wire.site import Site

logger = logging.getLogger("portmap.http")


class HttpPublisher:
    """Posts to one URL. `deadline`: seconds for one post."""

    scheme: ClassVar[str] = "http"

    def __init__(self, site: Site, deadline: float = DEADLINE) -> None:
        self._site = site
        self._deadline = deadline

    @classmethod
    def from_argument(cls, argument: str | None) -> "HttpPublisher":
        """What follows the scheme, `//HOST/PATH`; a whole URL is as good. Raises SpecError."""
        if not argument:
            raise SpecError(f"publisher {cls.scheme} needs a URL: write {cls.scheme}://HOST/PATH")
        return cls(Site.parse(f"{cls.scheme}:{argument}" if argument.startswith("//") else argument))

    def __str__(self) -> str:
        return str(self._site)

    @hookimpl
    def converge(self, state: Endpoints) -> None:
        """Post the state. Raises PortmapError where no answer comes, Refused for a status that is none of success."""
        body = json.dumps(state.to_dict()).encode()
        headers = {"Content-Type": "application/json", **self._site.basic}
        answer = request(self._site, None, body, headers, deadline=self._deadline)
        logger.debug("%s: %d", self, answer.status)
        if not answer.good:
            raise answer.refusal(retry_after(answer, time.time()))


class HttpsPublisher(HttpPublisher):
    """The same with TLS."""

    scheme: ClassVar[str] = "https"


def retry_after(answer: HttpResponse, now: float) -> float:
    """For how many seconds the site asks us to wait (RFC 9110 §10.2.3: seconds, or a date); 0 if it does not."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError, TypeError, IndexError):
        return 0.0
