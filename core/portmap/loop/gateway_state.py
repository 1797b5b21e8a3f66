"""What is known of the gateway: whether it answers, its external address, when to check it next and for what. Pure.

Rules:
- An error never changes the address. It only makes the gateway lost, or the next check come sooner.
- Checks alternate between the address and a mapping. An answer to a mapping request counts as a check of a mapping.
- The address is never left unchecked for longer than two intervals.
"""

from math import inf
from typing import NamedTuple

from portmap.backoff import backoff
from portmap.loop.lease import RETRY_FIRST
from portmap.model import Address


class GatewayState(NamedTuple):
    """`check_due`: when to check next, in seconds of the loop's clock; `mapping_next`: a mapping, not the address.

    `reachable`: None before the first call, then whether the last call got an answer. `reason`: why there is no
    address; `failure_kind`: its `errors.error_kind`. `address_due`: when the address is to be checked at the latest.
    """

    check_due: float
    reachable: bool | None = None
    address: Address | None = None
    failures: int = 0
    reason: str = ""
    failure_kind: str = ""
    mapping_next: bool = False
    address_due: float = inf

    def answered(self) -> "GatewayState":
        """The gateway answered, with yes or no."""
        return self._replace(reachable=True, failures=0)

    def address_reported(self, address: Address, now: float, interval: float) -> "GatewayState":
        """The gateway told its external address when asked at `now`."""
        return self._checked(now, interval)._replace(address=address, reason="", failure_kind="")

    def address_refused(self, reason: str, kind: str, now: float, interval: float) -> "GatewayState":
        """The gateway answered at `now`, but told no address."""
        return self._checked(now, interval)._replace(reason=reason, failure_kind=kind)

    def address_granted(self, address: Address) -> "GatewayState":
        """A mapping's answer told the first address; when to check stays as it is."""
        return self._replace(address=address, reason="", failure_kind="")

    def mapping_answered(self, now: float, interval: float) -> "GatewayState":
        """A mapping request was answered at `now`: the next check, of the address, may come an interval later.

        A check that is due already stays due.
        """
        if self.reachable is not True or self.check_due <= now:
            return self
        return self._replace(check_due=min(now + interval, self.address_due), mapping_next=False)

    def unreachable(self, reason: str, now: float, spread: float, interval: float) -> "GatewayState":
        """No answer, or no gateway: check again soon, then less and less often, at least once an `interval`."""
        delay = min(backoff(self.failures, RETRY_FIRST, interval) * (1 + spread / 4), interval)
        return self._replace(
            reachable=False,
            check_due=now + delay,
            failures=self.failures + 1,
            reason=reason,
            failure_kind="",
            mapping_next=False,
        )

    def check_now(self, now: float) -> "GatewayState":
        """Something happened: ask for the address now."""
        return self._replace(check_due=now, mapping_next=False)

    def mapping_checked(self, now: float, interval: float) -> "GatewayState":
        """The check of a mapping begins at `now`: the address is next."""
        return self._replace(check_due=min(now + interval, self.address_due), mapping_next=False)

    def _checked(self, now: float, interval: float) -> "GatewayState":
        return self._replace(check_due=now + interval, address_due=now + 2 * interval, mapping_next=True)
