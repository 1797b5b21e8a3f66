"""LeaseChoice: asks a gateway for an entry with a lease, or for a permanent one where it knows no leases.

Some gateways say so (725), some call a lease an invalid argument (402: ARRIS NVG578LX), some fail without a reason that
makes sense (-911: qBittorrent#12610; firewalla#556). It is remembered only where the reason was clear, and no longer
than permanent entries are made: the router may have been replaced.
"""

from collections.abc import Callable
from typing import TypeVar

from portmap.errors import Refused
from portmap_upnp.control import upnp_errors as code
from portmap_upnp.control.soap import ErrorWithoutCode
from portmap_upnp.control.wan_connection import MAX_LEASE

T = TypeVar("T")

_NO_LEASES = {code.ONLY_PERMANENT_LEASES, code.INVALID_ARGS}
_UNREASONED = {0, 600, 601}  # no number; "value invalid", "value out of range": UDA 1.1 §3.1.3


class LeaseChoice:
    """Asks one gateway, and remembers whether it makes permanent entries only. `asked`: the lease asked for last."""

    def __init__(self) -> None:
        self._permanent_only = False
        self.asked = 0

    def ask(self, lifetime: int, call: Callable[[int], T]) -> T:
        """What `call` gives for a lease in seconds, 0 for a permanent entry. Raises what it raises."""
        lease = min(lifetime, MAX_LEASE)
        first, second = (0, lease) if self._permanent_only else (lease, 0)
        try:
            return self._ask(first, call)
        except (Refused, ErrorWithoutCode) as refusal:
            if first == second or not _may_be_for_the_lease(refusal):
                raise
            try:
                answer = self._ask(second, call)
            except (Refused, ErrorWithoutCode) as again:
                raise refusal if _may_be_for_the_lease(again) else again from refusal.__cause__
            self._permanent_only = second == 0 and isinstance(refusal, Refused) and refusal.code in _NO_LEASES
        return answer

    def _ask(self, lease: int, call: Callable[[int], T]) -> T:
        self.asked = lease
        return call(lease)


def _may_be_for_the_lease(refusal: Refused | ErrorWithoutCode) -> bool:
    """Whether the gateway may have refused for the lease: it says so, or gives no reason."""
    if isinstance(refusal, ErrorWithoutCode):
        return True
    return refusal.code in _NO_LEASES | _UNREASONED or refusal.code < 0
