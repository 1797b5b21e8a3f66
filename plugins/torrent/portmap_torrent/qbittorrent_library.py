"""QBittorrentLibrary: the library qbittorrent-api, with our transport. Imported when it is first used: 80 ms."""

from collections.abc import Mapping
from typing import Any

import qbittorrentapi
from qbittorrentapi.request import QbittorrentSession

from portmap.wire.site import Site
from portmap_torrent.bounded_adapter import BoundedAdapter


class QBittorrentLibrary(qbittorrentapi.Client):
    """A session with one qBittorrent. `path`: where it is below the site's root. Raises qbittorrentapi.APIError."""

    def __init__(self, site: Site, path: str, deadline: float) -> None:
        self.adapter = BoundedAdapter(site, deadline)
        self.has_key = site.user == "" and bool(site.password)
        self.can_log_in = bool(site.user) or self.has_key
        super().__init__(
            host=f"{site}{path}",
            username=site.user or None,
            password=site.password if site.user else None,
            api_key=site.password if self.has_key else None,
            FORCE_SCHEME_FROM_HOST=True,
            SIMPLE_RESPONSES=True,
        )

    @property
    def _session(self) -> QbittorrentSession:
        """The library makes a session anew at each login: each gets our transport before its first request."""
        session = super()._session
        if self.adapter not in session.adapters.values():
            self.adapter.mount(session)
        return session

    def auth_log_in(self, *arguments: Any, **named: Any) -> None:
        """Log in, unless there is nothing to log in with: an empty name would count towards a ban."""
        if not self.can_log_in:
            raise qbittorrentapi.LoginFailed
        super().auth_log_in(*arguments, **named)

    def preferences(self) -> Any:
        """The preferences, as JSON says them."""
        return self.app_preferences()

    def set_preferences(self, settings: Mapping[str, Any]) -> None:
        """Change preferences."""
        self.app_set_preferences(prefs=dict(settings))
