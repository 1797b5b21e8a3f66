"""The backend `miniupnpc`: as `upnp`, with the C library as SOAP client. By name only.

It is a second opinion, for a router that our own client offends. Search, vetting of the description and reading back
are the same; what the library itself fetches and parses is not guarded.
"""

from typing import ClassVar

from portmap.errors import SpecError
from portmap_upnp.backend import Upnp
from portmap_upnp.control.miniupnpc_client import MiniupnpcClient
from portmap_upnp.gateway_session import ActiveGateway, Connect
from portmap_upnp.location import Location


class Miniupnpc(Upnp):
    """UPnP IGD by miniupnpc; not guarded against a hostile gateway. Takes the same arguments as `Upnp`."""

    preference: ClassVar[int | None] = None
    name: ClassVar[str] = "miniupnpc"

    @classmethod
    def from_argument(cls, argument: str | None, interface: str | None = None) -> Upnp:
        """As `Upnp`. Raises SpecError for an interface: the library connects as the routes say."""
        if interface is not None:
            raise SpecError(f"{cls.name} connects as the routes say, not by {interface}: use upnp")
        return super().from_argument(argument)

    @staticmethod
    def make_connect() -> Connect:
        """The library, told where the description is."""
        return _Library().connect


class _Library:
    """Keeps the library's object for as long as one description is in use: making one costs two exchanges."""

    def __init__(self) -> None:
        self._location: Location | None = None
        self._client: MiniupnpcClient | None = None

    def connect(self, active: ActiveGateway, deadline: float) -> MiniupnpcClient:
        """The actions of the gateway. The library itself chooses the service."""
        location = active.gateway.location
        if self._client is None or self._location != location:
            self._client, self._location = MiniupnpcClient.connect(location, deadline), location
        return MiniupnpcClient(self._client.library, deadline)
