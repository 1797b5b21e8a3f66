"""What the server last answered, and what it means that it now answers something else.

Observations and reasons are pure values. `LastObservation` is shared by the thread of the hooks and that of the
listener; its lock is held for an assignment, never during I/O.
"""

import threading
from typing import NamedTuple

from portmap.model import Address
from portmap.wire import TimedAnswer
from portmap_pcp.epoch import Epoch
from portmap_pcp.packets import Announced, Mapped, No, Refusal


class Observation(NamedTuple):
    """One answer: by whom, its epoch, the external address where it granted one, and whether it says no.

    `since`: the first epoch of this server since it is known to have restarted; the pace of its clock is measured from
    there.
    """

    server: Address
    epoch: Epoch
    external_ip: Address | None = None
    refused: bool = False
    since: Epoch | None = None

    def continues(self, before: "Observation") -> bool:
        """Whether this is the same server, and nothing says that it lost its state."""
        if self.server != before.server:
            return False
        if before.refused and self.refused and before.epoch.seconds == self.epoch.seconds:
            return True  # a clock that stands still is none: it is a constant where a refusal has its epoch
        return before.epoch.is_continued_by(self.epoch, before.pace)

    def after(self, before: "Observation | None") -> "Observation":
        """The same, with what earlier answers of this server told.

        An address that was granted counts for as long as the server keeps its state: its epoch begins anew also when
        the external address is another one (RFC 6887 §8.5).
        """
        if before is None or before.server != self.server:
            return self
        since = None if before.epoch.is_restarted(self.epoch) else before.since or before.epoch
        known = before.external_ip if self.continues(before) else None
        return self._replace(external_ip=self.external_ip or known, since=since)

    @property
    def pace(self) -> float:
        """How fast the server's clock runs, as far as it can be told."""
        return self.since.pace(self.epoch) if self.since else 1.0


def observation_of(server: Address, timed: TimedAnswer[Announced | Mapped | No]) -> Observation | None:
    """The answer as an observation; None if it has no epoch. Only what was granted has an address."""
    match timed.answer:
        case Mapped(epoch, lifetime, _, external_ip) if lifetime and not external_ip.is_unspecified:
            return Observation(server, Epoch(epoch, timed.asked_at, timed.heard_at), external_ip)
        case Announced(epoch) | Mapped(epoch):
            return Observation(server, Epoch(epoch, timed.asked_at, timed.heard_at))
        case Refusal(int(epoch)):
            return Observation(server, Epoch(epoch, timed.asked_at, timed.heard_at), refused=True)
    return None


class LastObservation:
    """The last observation. Any thread may update it; each change of the server is shown to exactly one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: Observation | None = None

    def update(self, now: Observation) -> Observation | None:
        """Remember the observation; returns the one before."""
        with self._lock:
            before, self._last = self._last, now.after(self._last)
            return before

    def of(self, server: Address) -> Observation | None:
        """The last observation, if it is one of this server."""
        last = self._last  # once: another thread may update it
        return last if last and last.server == server else None


def reason_to_alert(before: Observation | None, now: Observation) -> str:
    """Why our mappings may be gone; empty if nothing says so."""
    if before is None or now.continues(before):
        return ""
    if now.server != before.server:
        return f"gateway changed: {now.server} answers in place of {before.server}"
    passed = int(now.epoch.heard_at - before.epoch.heard_at)
    what = f"in {passed} s its clock went from {before.epoch.seconds} s to {now.epoch.seconds} s"
    return f"gateway {'' if before.epoch.is_restarted(now.epoch) else 'may have '}restarted: {what}"
