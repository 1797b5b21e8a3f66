"""The publisher `qbittorrent:http://USER:PASSWORD@HOST:8080`: qBittorrent's Web API, 4.1 and later, by qbittorrent-api.

The library knows how a login succeeds in each version: 200 and `Ok.`, 204 since 5.2; the cookies `SID` and
`QBT_SID_PORT`; an API key since 5.2, here `http://:KEY@HOST`. Without user and key there is no login: qBittorrent may
let this host in as it is. (https://github.com/qbittorrent/qBittorrent/wiki, WebUI-API)
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from portmap.errors import Garbled, PortmapError
from portmap.wire.http import DEADLINE
from portmap.wire.site import Site
from portmap_torrent.client import WRONG_LOGIN_WAIT, TorrentClient

if TYPE_CHECKING:
    from portmap_torrent.qbittorrent_library import QBittorrentLibrary

T = TypeVar("T")


class QBittorrent(TorrentClient):
    """One qBittorrent."""

    spec: ClassVar[str] = "qbittorrent"
    title: ClassVar[str] = "qBittorrent"
    form: ClassVar[str] = "qbittorrent:http://USER:PASSWORD@HOST:8080"
    program: ClassVar[str] = "qbittorrent"
    library: ClassVar[str] = "qbittorrentapi"

    def __init__(self, site: Site, name: str = "", deadline: float = DEADLINE) -> None:
        super().__init__(site, name, deadline)
        self._library: QBittorrentLibrary | None = None

    def wanted(self, port: int) -> dict[str, Any]:
        """As the preferences spell it."""
        return {"listen_port": port, "random_port": False, "upnp": False}

    def read(self) -> Mapping[str, Any]:
        """The preferences. Without a session, or where that has ended, the library logs in, once."""
        return self.table(self._call(lambda library: library.preferences()))

    def write(self, settings: Mapping[str, Any]) -> None:
        """Change preferences."""
        self._call(lambda library: library.set_preferences(settings))

    def _call(self, ask: "Callable[[QBittorrentLibrary], T]") -> T:
        from qbittorrentapi import APIError  # noqa: PLC0415  # 80 ms, for those who use it

        from portmap_torrent.qbittorrent_library import QBittorrentLibrary  # noqa: PLC0415  # the same

        if self._library is None:
            self._library = QBittorrentLibrary(self.site, self.path, self._deadline)
        self._library.adapter.begin()
        try:
            return ask(self._library)
        except APIError:
            raise self._error(self._library) from None

    def _error(self, library: "QBittorrentLibrary") -> PortmapError:
        """What a failure of the library means, by the last answer: the library drops the server's words."""
        answer = library.adapter.answer
        if answer is None:
            return library.adapter.failure or Garbled(f"{self} gave no answer")
        at_login = library.adapter.target.endswith("/auth/login")
        if (at_login and answer.status in {200, 204, 401}) or (answer.status == 403 and not library.can_log_in):
            return self.wrong_login(answer.words, answer.status)
        if answer.good:
            return Garbled(f"{self} gave an answer that makes no sense: is that the right URL?")
        hint = ""
        if answer.status == 401 and not library.has_key:
            hint = f"its Web UI does not take {self.site.authority!r} for its own name: add it to 'Server domains'"
        # With a session or a key qBittorrent forbids nothing that we ask for: 403 is a ban or a wrong key.
        wait = WRONG_LOGIN_WAIT if answer.status == 403 or (answer.status == 401 and library.has_key) else 0.0
        return self.refusal(answer, hint, wait)
