"""What the gateway last answered, and what it means that it now answers something else.

Observations and reasons are pure values. `LastObservation` is shared by the thread of the hooks and that of the
listener; its lock is held for an assignment, never during I/O.
"""

import threading
from ipaddress import IPv4Address
from typing import NamedTuple

from portmap.wire import TimedAnswer
from portmap_natpmp.epoch import Epoch
from portmap_natpmp.packets import AddressAnswer, Answer, Refusal


class Observation(NamedTuple):
    """One answer: by whom, its epoch, the external address where it states one, and whether it says no.

    `since`: the first epoch of this gateway since it is known to have restarted; the pace of its clock is measured
    from there.
    """

    gateway: IPv4Address
    epoch: Epoch
    external_ip: IPv4Address | None = None
    refused: bool = False
    since: Epoch | None = None

    def after(self, before: "Observation | None") -> "Observation":
        """The same, with what an earlier answer of this gateway told and this one does not."""
        if before is None or before.gateway != self.gateway:
            return self
        since = None if before.epoch.is_restarted(self.epoch) else before.since or before.epoch
        return self._replace(external_ip=self.external_ip or before.external_ip, since=since)

    @property
    def pace(self) -> float:
        """How fast the gateway's clock runs, as far as it can be told."""
        return self.since.pace(self.epoch) if self.since else 1.0


def observation_of(gateway: IPv4Address, timed: TimedAnswer[Answer | Refusal]) -> Observation | None:
    """The answer as an observation; None if it has no epoch. Some gateways state 0.0.0.0 where they have no address."""
    answer = timed.answer
    if answer.epoch is None:
        return None
    stated = answer.external_ip if isinstance(answer, AddressAnswer) and not answer.external_ip.is_unspecified else None
    epoch = Epoch(answer.epoch, timed.asked_at, timed.heard_at)
    return Observation(gateway, epoch, stated, isinstance(answer, Refusal))


class LastObservation:
    """The last observation. Any thread may update it; each change of the gateway is shown to exactly one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: Observation | None = None

    def update(self, now: Observation) -> Observation | None:
        """Remember the observation; returns the one before."""
        with self._lock:
            before, self._last = self._last, now.after(self._last)
            return before

    def of(self, gateway: IPv4Address) -> Observation | None:
        """The last observation, if it is one of this gateway."""
        last = self._last  # once: another thread may update it
        return last if last and last.gateway == gateway else None


def reason_to_alert(before: Observation | None, now: Observation) -> str:
    """Why our mappings may be gone; empty if nothing says so."""
    if before is None:
        return ""
    if now.gateway != before.gateway:
        return f"gateway changed: {now.gateway} answers in place of {before.gateway}"
    stands_still = before.refused and now.refused and before.epoch.seconds == now.epoch.seconds
    if stands_still or not before.epoch.falls_short(now.epoch, before.pace):
        return ""  # a clock that stands still is none: some put a constant where a refusal has its epoch
    expected = int(before.epoch.expected(now.epoch))
    if before.epoch.is_restarted(now.epoch):
        return f"gateway restarted: its clock went from {expected} s to {now.epoch.seconds} s"
    return f"gateway may have restarted: its clock shows {now.epoch.seconds} s, and {expected} s were due"


def reason_when_announced(before: Observation | None, now: Observation) -> str:
    """The same where the gateway announced something and `now` is its answer to our question."""
    stated = before.external_ip if before and before.gateway == now.gateway else None
    if stated and now.external_ip and stated != now.external_ip:
        return f"external address announced: {stated} -> {now.external_ip}"
    return reason_to_alert(before, now)
