"""Whether the server has forgotten us: its answers' epochs tell, and its announcements make us ask for one.

Law: an announcement is a reason to ask, by unicast, and never more. Two threads come here: the core's, which notes
answers, and while there is a watch the listener's, in `_verify`; both learn through the memory.
"""

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Generic, TypeAlias, TypeVar

from portmap.errors import NATError
from portmap.hookspecs import Alert, Closer
from portmap.model import Address
from portmap.wire import AnnouncementListener, Peer, Receive
from portmap_pcp.announcement import read_announcement
from portmap_pcp.epoch import Epoch
from portmap_pcp.observation import LastObservation, Observation, reason_to_alert
from portmap_pcp.packets import Announced, Mapped, No, Refusal
from portmap_pcp.settings import Settings

log = logging.getLogger("portmap.pcp")

A = TypeVar("A", bound=Address)
Answer: TypeAlias = Announced | Mapped | No


class RestartWatch(Generic[A]):
    """Remembers one server's last answer. `expected` are those whose announcements count; `announce` asks one."""

    def __init__(
        self,
        expected: Callable[[], Collection[A]],
        announce: Callable[[A, Receive], Answer],
        announced_at: Sequence[Peer],
        settings: Settings,
    ) -> None:
        self.answers = False
        """Whether the last question was answered: if not, an announcement is news by itself."""
        self._expected = expected
        self._announce = announce
        self._announced_at = announced_at if settings.announced_at is None else settings.announced_at
        self._settings = settings
        self._memory = LastObservation()
        self._alert: Alert | None = None
        self._listener: AnnouncementListener | None = None

    def external_ip(self, server: A) -> Address | None:
        """The address that the server last granted, if its state has lasted since."""
        return self._memory.external_ip(server)

    def record(self, server: A, answer: Answer) -> None:
        """Compare the answer with the last one, and alert if our mappings must be gone."""
        if now := self._sighting(server, answer):
            self._tell(reason_to_alert(self._memory.update(now), now))

    def join_towards(self, server: A) -> None:
        """From now on this is the server."""
        listener = self._listener  # once: the watch may end at any moment
        if listener:
            listener.join_towards(server)

    def start(self, alert: Alert, server: A | None) -> Closer:
        """Alert when the server lost its state, or when another took its place; the answer ends it."""
        listener = AnnouncementListener(
            self._announced_at, self._expected, read_announcement, self._verify, self._settings.delay
        )
        self._alert, self._listener = alert, listener
        if server:
            listener.join_towards(server)

        def close() -> None:
            if self._listener is listener:  # else a later watch has taken over
                self._alert = self._listener = None
            listener.close()

        return close

    def _sighting(self, server: A, answer: Answer) -> Observation | None:
        """The answer as a sighting; None if it has no epoch. The address counts where something was granted."""
        heard_at = self._settings.clock()
        match answer:
            case Mapped(epoch, lifetime, _, external_ip) if lifetime and not external_ip.is_unspecified:
                return Observation(server, Epoch(epoch, heard_at), external_ip)
            case Announced(epoch) | Mapped(epoch) | Refusal(int(epoch)):
                return Observation(server, Epoch(epoch, heard_at))
        return None

    def _tell(self, reason: str) -> None:
        alert = self._alert  # once, as above
        if reason and alert:
            alert(reason)

    def _verify(self, server: A, receive: Receive) -> None:
        """Ask a server that announced something what it is, and alert if it concerns us; on the listener's thread."""
        try:
            answer = self._announce(server, receive)
        except NATError as error:
            log.debug("%s announced something, but cannot be asked: %s", server, error)
            return
        if now := self._sighting(server, answer):
            now = replace(now, announced=True)
            reason = reason_to_alert(self._memory.update(now), now)
            self._tell(reason or ("" if self.answers else f"{server} announced itself"))
