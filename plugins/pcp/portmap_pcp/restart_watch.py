"""Whether the server has forgotten us: the epochs of its answers tell, and its announcements make us ask for one.

An announcement is a reason to ask, by unicast. Two threads come here: the core's records answers, and while there is a
watch the listener's verifies announcements; both use `LastObservation`.
"""

import logging
from collections.abc import Callable, Collection, Sequence
from typing import Generic, TypeAlias, TypeVar

from portmap.errors import NATError
from portmap.hookspecs import Alert, Closer
from portmap.model import Address
from portmap.wire import SAME_EPOCH, AlertBudget, AnnouncementListener, Peer, Receive, TimedAnswer
from portmap_pcp.announcement import read_announcement
from portmap_pcp.observation import LastObservation, Observation, observation_of, reason_to_alert
from portmap_pcp.packets import Announced, No
from portmap_pcp.settings import Settings

log = logging.getLogger("portmap.pcp")

A = TypeVar("A", bound=Address)
AskEpoch: TypeAlias = Callable[[A, Receive], TimedAnswer[Announced | No]]


class RestartWatch(Generic[A]):
    """Remembers one server's last answer. `expected` are the servers whose announcements count.

    `ask_epoch` asks one of them on any thread.
    """

    def __init__(
        self,
        expected: Callable[[], Collection[A]],
        ask_epoch: AskEpoch[A],
        announced_at: Sequence[Peer],
        settings: Settings,
    ) -> None:
        self.answers = False
        """Whether the last question was answered: if not, an announcement is news by itself."""
        self._expected = expected
        self._ask_epoch = ask_epoch
        self._announced_at = announced_at if settings.announced_at is None else settings.announced_at
        self._settings = settings
        self._last = LastObservation()
        self._budget = AlertBudget()
        self._alert: Alert | None = None
        self._listener: AnnouncementListener | None = None

    def external_ip(self, server: A) -> Address | None:
        """The address that the server last granted, if its state has lasted since."""
        last = self._last.of(server)
        return last.external_ip if last else None

    def contradicts(self, now: Observation) -> bool:
        """Whether the observation says that our mappings may be gone. Records nothing."""
        return bool(reason_to_alert(self._last.of(now.server), now))

    def record(self, now: Observation) -> None:
        """Compare the observation with the last one, and alert if our mappings may be gone."""
        self.tell(reason_to_alert(self._last.update(now), now))

    def join_towards(self, server: A) -> None:
        """From now on this is the server."""
        listener = self._listener  # once: the watch may end at any moment
        if listener:
            listener.join_towards(server)

    def start(self, alert: Alert, server: A | None) -> Closer:
        """Alert from now on; returns the function that ends it."""
        listener = AnnouncementListener(
            self._announced_at,
            self._expected,
            read_announcement,
            self._verify,
            self._settings.delay,
            rest=lambda: self._budget.rest(self._settings.clock()),
            interface=self._settings.interface,
        )
        self._alert, self._listener = alert, listener
        if server:
            listener.join_towards(server)

        def close() -> None:
            if self._listener is listener:  # else a later watch has taken over
                self._alert = self._listener = None
            listener.close()

        return close

    def tell(self, reason: str, *, proven: bool = True) -> None:
        """Alert, if there is a reason and a watch. `proven`: the server itself told the reason. From any thread."""
        alert = self._alert  # once, as above
        if reason and alert:
            self._budget.alerted(self._settings.clock(), proven=proven)
            alert(reason)

    def _verify(self, server: A, other_epochs: frozenset[int], receive: Receive) -> None:
        """Ask a server after an announcement, and alert if it concerns us; on the listener's thread."""
        try:
            answer = self._ask_epoch(server, receive)
        except NATError as error:
            log.debug("%s announced something, but cannot be asked: %s", server, error)
            return
        now = observation_of(server, answer)
        if now is None:
            return
        reason = reason_to_alert(self._last.update(now), now)
        if reason:
            self.tell(reason)
        elif self._counts(now, other_epochs):
            self.tell(f"{server} announced itself", proven=False)

    def _counts(self, now: Observation, other_epochs: frozenset[int]) -> bool:
        """Whether the announcement is a reason by itself: some servers lose their state and keep their epoch."""
        if other_epochs and all(abs(epoch - now.epoch.seconds) > SAME_EPOCH for epoch in other_epochs):
            self._budget.asked_in_vain(self._settings.clock())
            return False  # another address of the same server would have announced the same epoch
        return not self.answers or self._budget.allows(self._settings.clock())
