"""What the server last told us, and what it means when it now tells something else.

Law: sightings and reasons are pure values. `Memory` is all that the thread of the hooks and that of the listener
write to in common; its lock is held for an assignment, never during I/O.
"""

import threading
from dataclasses import dataclass, replace

from portmap.model import Address
from portmap_pcp.epoch import Epoch


@dataclass(frozen=True, slots=True)
class Observation:
    """One answer: from whom, its epoch, and the external address where it granted one."""

    server: Address
    epoch: Epoch
    external_ip: Address | None = None

    announced: bool = False
    """Whether the server announced something, and this is its answer to our question what. Such an answer is never
    late: a router that starts its daemon twice in two seconds, as when the uplink comes, has forgotten us twice."""

    def continues(self, before: "Observation") -> bool:
        """Whether this is the same server, and it kept its state."""
        continued = before.epoch.is_surely_continued_by if self.announced else before.epoch.is_continued_by
        return self.server == before.server and continued(self.epoch)

    def after(self, before: "Observation | None") -> "Observation":
        """The same, with the address that was granted before, for as long as the server kept its state.

        An epoch begins anew also when the external address is another one: RFC 6887 §8.5.
        """
        if before is None or self.external_ip or not self.continues(before):
            return self
        return replace(self, external_ip=before.external_ip)


class LastObservation:
    """The last sighting. Any thread may learn; each change of the server is shown to exactly one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: Observation | None = None

    def update(self, sighting: Observation) -> Observation | None:
        """Remember the sighting; the answer is the one before."""
        with self._lock:
            before, self._last = self._last, sighting.after(self._last)
            return before

    def external_ip(self, server: Address) -> Address | None:
        """The address that this server last granted, if it still holds."""
        last = self._last  # once: another thread may learn
        return last.external_ip if last and last.server == server else None


def reason_to_alert(before: Observation | None, now: Observation) -> str:
    """Why our mappings must be gone, or nothing."""
    if before is None or now.continues(before):
        return ""
    if now.server != before.server:
        return f"gateway changed: {now.server} answers in place of {before.server}"
    passed = int(now.epoch.heard_at - before.epoch.heard_at)
    return f"gateway restarted: in {passed} s its clock went from {before.epoch.seconds} s to {now.epoch.seconds} s"
