"""The publisher `transmission:http://USER:PASSWORD@HOST:9091`: Transmission's RPC, 2.x to 4.x, by transmission-rpc.

(https://github.com/transmission/transmission/blob/main/docs/rpc-spec.md: §2.2.1 the session id that comes with a 409,
§2.3.2 the host whitelist, §4.1 session-set, session-get)
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from portmap.errors import Garbled, PortmapError, Refused
from portmap.wire.http import DEADLINE, SiteResponse
from portmap.wire.site import Site
from portmap_torrent.client import TorrentClient

if TYPE_CHECKING:
    from portmap_torrent.transmission_library import TransmissionLibrary

T = TypeVar("T")

_RPC = "/rpc"
_DEFAULT = "/transmission"  # the setting rpc-url, without its slash
_PATH_HINT = f"write the URL up to and with its /rpc, as http://HOST:9091{_DEFAULT}{_RPC}"


class Transmission(TorrentClient):
    """One Transmission. The URL may be that of the RPC, of the web interface, or only its host."""

    spec: ClassVar[str] = "transmission"
    title: ClassVar[str] = "Transmission"
    form: ClassVar[str] = "transmission:http://USER:PASSWORD@HOST:9091"
    program: ClassVar[str] = "transmission"
    library: ClassVar[str] = "transmission_rpc"

    def __init__(self, site: Site, name: str = "", deadline: float = DEADLINE) -> None:
        super().__init__(site, name, deadline)
        self._library: TransmissionLibrary | None = None

    def wanted(self, port: int) -> dict[str, Any]:
        """As the session spells it."""
        return {"peer-port": port, "peer-port-random-on-start": False, "port-forwarding-enabled": False}

    def read(self) -> Mapping[str, Any]:
        """The session's settings."""
        return self.table(self._call(lambda library: library.settings()))

    def write(self, settings: Mapping[str, Any]) -> None:
        """Change the session's settings."""
        self._call(lambda library: library.set_session(**{key.replace("-", "_"): settings[key] for key in settings}))

    def _call(self, ask: "Callable[[TransmissionLibrary], T]") -> T:
        from transmission_rpc import TransmissionError  # noqa: PLC0415  # 100 ms, for those who use it

        from portmap_torrent.bounded_adapter import BoundedAdapter  # noqa: PLC0415  # the same
        from portmap_torrent.transmission_library import TransmissionLibrary  # noqa: PLC0415  # the same

        adapter = self._library.adapter if self._library else BoundedAdapter(self.site, self._deadline, self.site.basic)
        adapter.begin()
        try:
            if self._library is None:
                self._library = TransmissionLibrary(self.site, rpc_path(self.path), adapter)
            return ask(self._library)
        except (TransmissionError, KeyError, TypeError, AttributeError):  # the latter three: JSON of another shape
            raise self._error(adapter.answer, adapter.failure) from None

    def _error(self, answer: SiteResponse | None, failure: PortmapError | None) -> PortmapError:
        """What a failure of the library means, by the last answer: the library drops the server's words."""
        if answer is None:
            if failure is None or isinstance(failure, Refused):
                return PortmapError(f"{self} answers with a redirect: {_PATH_HINT}")
            return failure
        if answer.status == 401:
            return self.wrong_login(answer.words, 401)
        if not answer.good:
            return self.refusal(answer, _PATH_HINT if answer.status == 404 else "")
        return Garbled(f"{self} gave an answer that makes no sense: is that the right URL?")


def rpc_path(path: str) -> str:
    """Where the RPC is, from the path of a URL that was pasted from a browser, a manual or another program."""
    base = path.removesuffix("/index.html").removesuffix("/web").removesuffix(_RPC)
    if path.endswith((_RPC, "/web", "/web/index.html", _DEFAULT)):
        return base + _RPC
    return f"{path}{_DEFAULT}{_RPC}"
