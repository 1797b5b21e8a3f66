"""What we know of the gateway: does it answer, which address does it state, when to ask again.

Law: as in `portmap.loop.lease` - pure, time and spread are arguments. An error never changes the address: it only makes
the gateway lost, or the next question come sooner.
"""

from dataclasses import dataclass, replace

from portmap.loop.lease import RETRY_FIRST
from portmap.model import Address


@dataclass(frozen=True, slots=True)
class GatewayState:
    """`answers`: None before the first word, then whether the last call was answered. `reason`: why not.

    `failure_kind`: `errors.error_kind` of the last failure.
    """

    check_due: float
    reachable: bool | None = None
    address: Address | None = None
    failures: int = 0
    reason: str = ""
    failure_kind: str = ""

    def answered(self) -> "GatewayState":
        """The gateway said something, be it yes or no."""
        return replace(self, reachable=True, failures=0)

    def address_reported(self, address: Address, due: float) -> "GatewayState":
        """The gateway stated its external address; ask again at `due`."""
        return replace(self, address=address, check_due=due, reason="", failure_kind="")

    def address_refused(self, reason: str, due: float, kind: str = "") -> "GatewayState":
        """No address was stated, for another reason than silence; ask again at `due`."""
        return replace(self, check_due=due, reason=reason, failure_kind=kind)

    def unreachable(self, reason: str, now: float, spread: float, interval: float, kind: str = "") -> "GatewayState":
        """No answer, or no gateway: look again soon, then ever less often, never less than once an `interval`."""
        delay = min(RETRY_FIRST * 2.0 ** min(self.failures, 16) * (1 + spread / 4), interval)
        return replace(
            self,
            reachable=False,
            check_due=now + delay,
            failures=self.failures + 1,
            reason=reason,
            failure_kind=kind,
        )

    def check_now(self, now: float) -> "GatewayState":
        """Something happened: ask for the address now."""
        return replace(self, check_due=now)
