"""Proof: what follows from each check of a port that is held: an event, a step of repair, the next check. Pure.

Rules:
- An event is told once per change.
- Each step is proved before the next: ask for the mapping again; delete it and ask; another external port.
- A full round of steps that helped nothing makes the pause grow, up to an hour.
- Where no program listens, nothing at the gateway is at fault, so nothing is tried there.
- Of a port that is forwarded by hand nothing is tried: no gateway was asked for it.
- What listens on another host is not seen from here: its port is asked for again, and neither shut nor moved.
"""

from dataclasses import dataclass, replace

from portmap.reachability.repair_step import RepairStep
from portmap.reachability.verdict import Blame, Reachability, Verdict

MEND_STEPS = (RepairStep.RENEW, RepairStep.REOPEN, RepairStep.MOVE)
SETTLING = 1.5  # seconds between a step and its proof; a responder tries an address once a second
LONGEST_PAUSE = 3600.0  # seconds


@dataclass(frozen=True, slots=True)
class Proof:
    """One held port: whether it was reached, the steps of this round that were tried, when it is checked next.

    `reachable`: None before the first proof. `every`: seconds between two checks of a port that is reached.
    """

    every: float
    check_at: float = 0.0
    reachable: bool | None = None
    tried: int = 0
    pause: float = 0.0

    def after(self, found: Reachability, now: float, *, repairable: bool = True) -> tuple["Proof", RepairStep | None]:
        """The state after a check, and the step to take, if any. `repairable`: a gateway can be asked for the port."""
        if found.verdict is Verdict.OPEN:
            return Proof(self.every, now + self.every, reachable=True), None
        if found.verdict is Verdict.UNKNOWN or found.by == Blame.HOST:
            reachable = self.reachable if found.verdict is Verdict.UNKNOWN else False
            return replace(self, check_at=now + self.every, reachable=reachable), None
        if not repairable:
            return replace(self, check_at=now + self.every, reachable=False), None
        steps = MEND_STEPS[:1] if found.host else MEND_STEPS
        if self.tried < len(steps):
            step = steps[self.tried]
            return replace(self, check_at=now + SETTLING, reachable=False, tried=self.tried + 1), step
        pause = min(LONGEST_PAUSE, 2 * (self.pause or self.every))
        return replace(self, check_at=now + pause, reachable=False, tried=0, pause=pause), None

    def moved(self, now: float) -> "Proof":
        """The mapping is another one now: it is to be proved soon."""
        return replace(self, check_at=min(self.check_at, now + SETTLING)) if self.tried == 0 else self
