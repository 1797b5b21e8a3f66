"""What the gateway last told us, and what it means when it now tells something else.

Law: sightings and reasons are pure values. `Memory` is all that the thread of the hooks and that of the listener
write to in common; its lock is held for an assignment, never during I/O.
"""

import threading
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

from portmap_natpmp.epoch import LATENESS, ROUNDING, Epoch
from portmap_natpmp.packets import AddressAnswer, Answer, Refusal


@dataclass(frozen=True, slots=True)
class Observation:
    """One answer: from whom, its epoch, and the external address where it stated one."""

    gateway: IPv4Address
    epoch: Epoch
    external_ip: IPv4Address | None = None

    def after(self, before: "Observation | None") -> "Observation":
        """The same, with the address that the gateway stated before where this answer states none."""
        if before is None or before.gateway != self.gateway or self.external_ip:
            return self
        return replace(self, external_ip=before.external_ip)


def observation_of(gateway: IPv4Address, answer: Answer | Refusal, heard_at: float) -> Observation | None:
    """The answer as a sighting; None if it has no epoch. 0.0.0.0 is how some say that they have no address."""
    if answer.epoch is None:
        return None
    stated = answer.external_ip if isinstance(answer, AddressAnswer) and not answer.external_ip.is_unspecified else None
    return Observation(gateway, Epoch(answer.epoch, heard_at), stated)


class LastObservation:
    """The last sighting. Any thread may learn; each change of the gateway is shown to exactly one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: Observation | None = None

    def update(self, sighting: Observation) -> Observation | None:
        """Remember the sighting; the answer is the one before."""
        with self._lock:
            before, self._last = self._last, sighting.after(self._last)
            return before


def reason_to_alert(before: Observation | None, now: Observation, tolerance: float = LATENESS) -> str:
    """Why our mappings must be gone, or nothing. `tolerance` as in `Epoch.is_continued_by`."""
    if before is None:
        return ""
    if now.gateway != before.gateway:
        return f"gateway changed: {now.gateway} answers in place of {before.gateway}"
    if before.epoch.is_continued_by(now.epoch, tolerance):
        return ""
    expected = int(before.epoch.expected_at(now.epoch.heard_at))
    return f"gateway restarted: its clock went from {expected} s to {now.epoch.seconds} s"


def reason_when_announced(before: Observation | None, now: Observation) -> str:
    """The same where the gateway announced something and `now` is its answer to our question what it is.

    Such an answer is never late, so only rounding is tolerated: a router that starts its daemon twice in two seconds,
    as many do when the uplink comes, has forgotten us twice.
    """
    stated = before.external_ip if before and before.gateway == now.gateway else None
    if stated and now.external_ip and stated != now.external_ip:
        return f"external address announced: {stated} -> {now.external_ip}"
    return reason_to_alert(before, now, ROUNDING)
