"""TransmissionLibrary: the library transmission-rpc, with our transport. Imported when it is first used: 100 ms."""

import logging
from typing import Any

import transmission_rpc

from portmap.wire.site import Site
from portmap_torrent.bounded_adapter import BoundedAdapter

# The library would log the URL, and headers. This logger has no parent and no handler.
_NO_LOG = logging.Logger("transmission-rpc", logging.CRITICAL + 1)  # noqa: LOG001  # getLogger's would have a parent


class TransmissionLibrary(transmission_rpc.Client):
    """A session with one Transmission, begun at once. Raises transmission_rpc.TransmissionError.

    User and password go into the adapter's headers: the library encodes them as Latin-1, Transmission reads UTF-8.
    """

    def __init__(self, site: Site, path: str, adapter: BoundedAdapter) -> None:
        self.adapter = adapter
        super().__init__(
            protocol="https" if site.scheme == "https" else "http",
            host=f"[{site.host}]" if ":" in site.host else site.host,
            port=site.port,
            path=path,
            logger=_NO_LOG,
        )

    def get_session(self, *arguments: Any, **named: Any) -> transmission_rpc.Session:
        """The library's constructor calls this first: before any request, the HTTP session gets our transport."""
        if self.adapter not in self._http_session.adapters.values():
            self.adapter.mount(self._http_session)
        return super().get_session(*arguments, **named)

    def settings(self) -> dict[str, Any]:
        """The settings, as JSON says them."""
        return self.get_session().fields
