"""TorrentClient: what the three publishers have in common: read the settings, write them where they differ, read again.

Rules:
- without an open port the client is left alone: yesterday's port is better than none;
- success means that the client has the port in its settings and, as far as that can be seen, listens on it;
- the client's own port mapping and its random port are switched off: two programs that map one port close each other's.
"""

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib.util import find_spec
from ipaddress import ip_address
from typing import Any, ClassVar, Self
from urllib.parse import parse_qs

from portmap.endpoints import Endpoints
from portmap.errors import Garbled, PluginError, PortmapError, Refused, SpecError
from portmap.hookspecs import hookimpl
from portmap.model import Protocol
from portmap.network.listening_sockets import ListeningSocket, listening
from portmap.wire.http import DEADLINE, SiteResponse
from portmap.wire.site import Site
from portmap_torrent.port_choice import choose_port

logger = logging.getLogger("portmap.torrent")

REASSERT_EVERY = 30.0  # seconds: a client that was restarted with another port is set right within a minute
WRONG_LOGIN_WAIT = 900.0  # seconds: qBittorrent bans an address for an hour after five wrong passwords
LISTEN_WAIT = 3.0  # seconds that a client gets until it listens on a port that it was just given
LISTEN_POLL = 0.1  # seconds


class TorrentClient(ABC):
    """A client with a web interface at `site`. `name`: of the mapping whose port it gets; empty for any.

    `deadline`: seconds for all requests of one call.
    """

    reassert_every: ClassVar[float] = REASSERT_EVERY
    spec: ClassVar[str]
    title: ClassVar[str]
    form: ClassVar[str]
    program: ClassVar[str]
    """How the name of its process begins."""
    library: ClassVar[str] = ""
    """The module that it needs, of the extra [torrent]."""

    def __init__(self, site: Site, name: str = "", deadline: float = DEADLINE) -> None:
        self.site = site
        self._name = name
        self._deadline = deadline

    @staticmethod
    def one_instance(argument: str | None) -> bool:
        """A client has one port. Where the mapping is named, only the instance that has it tells the client."""
        return "name=" not in (argument or "").partition("?")[2]

    @classmethod
    def from_argument(cls, argument: str | None) -> Self:
        """A URL, in whose query `name=NAME` may name a mapping. Raises SpecError, which does not repeat it."""
        if not argument:
            raise SpecError(f"publisher {cls.spec} needs its web interface's URL: write {cls.form}")
        if cls.library and find_spec(cls.library) is None:
            raise PluginError(f"publisher {cls.spec} needs {cls.library}: pip install portmap-nat[torrent]")
        try:
            site = Site.parse(argument)
            query = site.path.partition("?")[2]
            return cls(site, _mapping_name(query))
        except SpecError as error:
            raise SpecError(f"publisher {cls.spec}: {error}; in all {cls.form}") from None

    def __str__(self) -> str:
        return f"{self.title} {self.site}"

    @property
    def path(self) -> str:
        """The path of the URL, without its query and a slash at the end."""
        return self.site.path.partition("?")[0].rstrip("/")

    @hookimpl
    def converge(self, state: Endpoints) -> str:
        """Have the client listen on the open port. Returns the port. Raises PortmapError where that failed."""
        port = choose_port(state, self._name)
        if port is None:
            logger.debug("%s: no port is open for it, so it keeps the one that it has", self)
            return ""
        wanted = self.wanted(port)
        if not _holds(self.read(), wanted):
            self.write(wanted)
            if not _holds(self.read(), wanted):
                raise PortmapError(f"{self} did not take port {port}: look at its connection settings")
        self._check_that_it_listens(port)
        return str(port)

    # What each client has of its own.

    @abstractmethod
    def wanted(self, port: int) -> dict[str, Any]:
        """The settings for a port; the port's own comes first."""

    @abstractmethod
    def read(self) -> Mapping[str, Any]:
        """The settings, possibly more of them than are wanted. Logs in where that is needed."""

    @abstractmethod
    def write(self, settings: Mapping[str, Any]) -> None:
        """Change these settings."""

    def obstacle(self, port: int) -> str | None:
        """Why the client does not listen on the port; None where it does, or where that cannot be seen.

        It can be seen where the client's process is one of this host and network namespace, and /proc shows it.
        """
        if not _is_loopback(self.site.host):
            return None
        sockets = [it for it in listening({port, self.site.port}) or () if it.protocol is Protocol.TCP]
        if not any(it.port == self.site.port and it.program.startswith(self.program) for it in sockets):
            return None
        holders = [it.program for it in sockets if it.port == port and _takes_ipv4(it)]
        if any(not holder or holder.startswith(self.program) for holder in holders):
            return None
        return f"{holders[0]} does" if holders else "nothing does: see its log and its network interface settings"

    def _check_that_it_listens(self, port: int) -> None:
        """Raises PortmapError where the client does not listen on the port within LISTEN_WAIT seconds."""
        until = time.monotonic() + LISTEN_WAIT
        while (obstacle := self.obstacle(port)) is not None:
            if time.monotonic() >= until:
                raise PortmapError(f"{self} has port {port} in its settings, but does not listen on it: {obstacle}")
            time.sleep(LISTEN_POLL)

    # Errors.

    def wrong_login(self, words: str = "", code: int = 0) -> Refused:
        """The client refuses user and password; `words` are its own."""
        return Refused(
            f"{self} refuses the user name or password{self._quoted(words)}: write {self.form}",
            code=code,
            text=self.site.masked(words),
            retry_after=WRONG_LOGIN_WAIT,
        )

    def refusal(self, answer: SiteResponse, hint: str = "", retry_after: float = 0.0) -> Refused:
        """The client refuses a request, in its own words."""
        text = f"{self} answered with HTTP status {answer.status}{self._quoted(answer.words)}"
        return Refused(
            text + (f": {hint}" if hint else ""),
            code=answer.status,
            text=self.site.masked(answer.words),
            retry_after=retry_after,
        )

    def table(self, value: Any) -> Mapping[str, Any]:
        """A JSON object, if it is one. Raises Garbled."""
        if not isinstance(value, Mapping):
            raise Garbled(f"{self} gave an answer that makes no sense: is that the right URL?")
        return value

    def _quoted(self, words: str) -> str:
        return f" ({self.site.masked(words)!r})" if words else ""


def _mapping_name(query: str) -> str:
    """The value of `name=`. Raises SpecError for any other query."""
    options = parse_qs(query, keep_blank_values=True)
    names = options.pop("name", [""])
    if options or len(names) != 1 or "=" not in (query or "="):
        raise SpecError("the query has an unknown option: write ?name=MAPPING")
    return names[0]


def _holds(settings: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether the settings are as wanted. A setting that this version does not know is ignored, but for the port."""
    port = next(iter(wanted))
    return port in settings and all(settings.get(key, value) == value for key, value in wanted.items())


def _takes_ipv4(listener: ListeningSocket) -> bool:
    """Whether what the gateway forwards by IPv4 may arrive there; `::` usually takes both."""
    return listener.address.version == 4 or listener.address.is_unspecified


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
