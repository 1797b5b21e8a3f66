"""What the torrent clients have in common: look at the settings, write them only where they differ, look again.

Law: no port, no change - a client without a port is worse off than one with yesterday's. The client's own port mapping
is switched off with its random port: two who hold one port shut each other's.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self
from urllib.parse import parse_qs

from portmap.endpoints import Endpoints
from portmap.errors import Garbled, PortmapError, Refused, SpecError
from portmap.hookspecs import hookimpl
from portmap.wire.http import DEADLINE, SiteResponse, request
from portmap.wire.site import Site
from portmap_torrent.port_choice import choose_port

logger = logging.getLogger("portmap.torrent")

REASSERT_EVERY = 300.0  # seconds: a client that was restarted may have its old settings again
PEACE = 900.0  # seconds after a wrong password: qBittorrent shuts an address out for an hour after five


class TorrentClient(ABC):
    """A client with a web interface at `site`. `name`: of the mapping whose port it is to have."""

    reassert_every: ClassVar[float] = REASSERT_EVERY
    spec: ClassVar[str]
    title: ClassVar[str]
    form: ClassVar[str]

    def __init__(self, site: Site, name: str = "", deadline: float = DEADLINE) -> None:
        self.site = site
        self._name = name
        self._deadline = deadline

    @classmethod
    def from_argument(cls, argument: str | None) -> Self:
        """A URL, after which `?name=NAME` may name a mapping. Raises SpecError, which does not repeat it."""
        url, _, query = (argument or "").partition("?")
        if not url:
            raise SpecError(f"publisher {cls.spec} needs its web interface's URL: write {cls.form}")
        options = parse_qs(query, keep_blank_values=True)
        names = options.pop("name", [""])
        if options or len(names) != 1 or "=" not in (query or "="):
            raise SpecError(f"publisher {cls.spec} knows one option: write {cls.form}?name=MAPPING")
        try:
            return cls(Site.parse(url), names[0])
        except SpecError as error:
            raise SpecError(f"publisher {cls.spec}: {error}; in all {cls.form}") from error

    def __str__(self) -> str:
        return f"{self.title} {self.site}"

    @hookimpl
    def converge(self, state: Endpoints) -> None:
        """Have it listen on the open port. Raises PortmapError where that did not take."""
        port = choose_port(state, self._name)
        if port is None:
            logger.info("%s: no port is open for it, so it keeps the one that it has", self)
            return
        wanted = self.wanted(port)
        self.log_in()
        if _holds(self.read(), wanted):
            return
        self.write(wanted)
        if not _holds(self.read(), wanted):
            raise PortmapError(f"{self} did not take port {port}: look at its connection settings")
        logger.info("%s listens on port %d now", self, port)

    # What each client has of its own.

    @abstractmethod
    def wanted(self, port: int) -> dict[str, Any]:
        """The settings for a port; the port's own comes first."""

    @abstractmethod
    def log_in(self) -> None:
        """Begin anew: the client may have been restarted since."""

    @abstractmethod
    def read(self) -> Mapping[str, Any]:
        """The settings, more of them than are wanted, perhaps."""

    @abstractmethod
    def write(self, settings: Mapping[str, Any]) -> None:
        """Change these settings."""

    # What they speak with.

    def call(self, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> SiteResponse:
        """One exchange; `path` goes behind the site's own."""
        return request(self.site, self.site.path.rstrip("/") + path, body, headers, deadline=self._deadline)

    def wrong_password(self, code: int = 0) -> Refused:
        """It does not let us in."""
        text = f"{self} refuses the user name or password: write {self.form}"
        return Refused(text, code=code, retry_after=PEACE)

    def table(self, value: Any) -> Mapping[str, Any]:
        """A JSON object, if it is one. Raises Garbled."""
        if not isinstance(value, dict):
            raise Garbled(f"{self} answered what makes no sense: is that the right URL?")
        return value


def _holds(settings: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether they are as wanted; what this version does not know is no matter, but for the port."""
    port = next(iter(wanted))
    return port in settings and all(settings.get(key, value) == value for key, value in wanted.items())
