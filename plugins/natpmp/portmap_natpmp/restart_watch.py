"""Whether the gateway has forgotten us: the epochs of its answers tell, and its announcements make us ask for one.

An announcement is a reason to ask, by unicast. Two threads come here: the core's records answers, and while there is a
watch the listener's verifies announcements; both use `LastObservation`.
"""

import logging
from collections.abc import Callable, Collection, Sequence
from ipaddress import IPv4Address
from typing import Any, TypeAlias

from portmap.errors import NATError
from portmap.hookspecs import Alert, Closer
from portmap.wire import SAME_EPOCH, AlertBudget, AnnouncementListener, Peer, Receive, TimedAnswer
from portmap_natpmp.announcement import read_announcement
from portmap_natpmp.observation import (
    LastObservation,
    Observation,
    observation_of,
    reason_to_alert,
    reason_when_announced,
)

log = logging.getLogger("portmap.natpmp")

AskAddress: TypeAlias = Callable[[IPv4Address, Receive], TimedAnswer[Any]]


class RestartWatch:
    """Remembers the gateway's last answer. `expected` are the gateways whose announcements count.

    `ask_address` asks one of them on any thread, `delay` gives the seconds to wait before. Announcements are received
    from the `interface`; None: from all.
    """

    def __init__(
        self,
        expected: Callable[[], Collection[IPv4Address]],
        ask_address: AskAddress,
        announced_at: Sequence[Peer],
        delay: Callable[[], float],
        clock: Callable[[], float],
        interface: str | None = None,
    ) -> None:
        self.answers = False
        """Whether the last question was answered: if not, an announcement is news by itself."""
        self._expected = expected
        self._ask_address = ask_address
        self._announced_at = announced_at
        self._delay = delay
        self._clock = clock
        self._interface = interface
        self._last = LastObservation()
        self._budget = AlertBudget()
        self._alert: Alert | None = None
        self._listener: AnnouncementListener | None = None

    def external_ip(self, gateway: IPv4Address) -> IPv4Address | None:
        """The address that this gateway last stated."""
        last = self._last.of(gateway)
        return last.external_ip if last else None

    def contradicts(self, now: Observation) -> bool:
        """Whether the observation says that our mappings may be gone. Records nothing."""
        return bool(reason_to_alert(self._last.of(now.gateway), now))

    def record(self, now: Observation) -> None:
        """Compare the observation with the last one, and alert if our mappings may be gone."""
        self._tell(reason_to_alert(self._last.update(now), now))

    def join_towards(self, gateway: IPv4Address) -> None:
        """From now on this is the gateway."""
        listener = self._listener  # once: the watch may end at any moment
        if listener:
            listener.join_towards(gateway)

    def start(self, alert: Alert, gateway: IPv4Address | None) -> Closer:
        """Alert from now on; returns the function that ends it."""
        listener = AnnouncementListener(
            self._announced_at,
            self._expected,
            read_announcement,
            self._verify,
            self._delay,
            rest=lambda: self._budget.rest(self._clock()),
            interface=self._interface,
        )
        self._alert, self._listener = alert, listener
        if gateway:
            listener.join_towards(gateway)

        def close() -> None:
            if self._listener is listener:  # else a later watch has taken over
                self._alert = self._listener = None
            listener.close()

        return close

    def _tell(self, reason: str, *, proven: bool = True) -> None:
        alert = self._alert  # once, as above
        if reason and alert:
            self._budget.alerted(self._clock(), proven=proven)
            alert(reason)

    def _verify(self, gateway: IPv4Address, other_epochs: frozenset[int], receive: Receive) -> None:
        """Ask a gateway after an announcement, and alert if it concerns us; on the listener's thread."""
        try:
            answer = self._ask_address(gateway, receive)
        except NATError as error:
            log.debug("%s announced something, but cannot be asked: %s", gateway, error)
            return
        now = observation_of(gateway, answer)
        if now is None:
            return
        reason = reason_when_announced(self._last.update(now), now)
        if reason:
            self._tell(reason)
        elif self._counts(now, other_epochs):
            self._tell(f"{gateway} announced itself", proven=False)

    def _counts(self, now: Observation, other_epochs: frozenset[int]) -> bool:
        """Whether the announcement is a reason by itself: some gateways lose their state and keep their epoch."""
        if other_epochs and all(abs(epoch - now.epoch.seconds) > SAME_EPOCH for epoch in other_epochs):
            self._budget.asked_in_vain(self._clock())
            return False  # another address of the same gateway would have announced the same epoch
        return not self.answers or self._budget.allows(self._clock())
