"""TCP and UDP of one internal port: which of the two is asked first, and what that does to the other. Pure.

Rule: the elder first, then the younger, always both. That is right for a gateway that remembers both, one or none.

What miniupnpd 2.3.1 (nftables) does with its filter rules, one a mapping, in the order in which they came:

- opened: the mapping's rule is added as the newest;
- renewed by NAT-PMP or PCP: the newest rule of that host and internal port is removed, whatever its protocol, and the
  mapping's own is added;
- deleted: the newest rule of that host and internal port is removed;
- renewed by UPnP: nothing.

So the rule of the elder stays while both are mapped. Asking for the elder closes the younger one until that is asked
for, too; asking for the younger closes nothing. A gateway that forgot both takes the first one asked for as the elder.
Moving one to the other's port deletes it, which removes whichever rule is the newest: then both are deleted and opened
from scratch, for a renewal by UPnP would not mend it.
"""

from math import inf

from portmap.loop.lease import Lease

MAX_POSTPONEMENTS = 2  # times that the younger waits while the gateway answers, but not for the elder


def was_opened_first(lease: Lease, other: Lease) -> bool:
    """Whether the gateway opened this one first: an open one before one that is not, then by `open_order`."""
    return lease.pair.open_order > 0 and _rank(lease) < _rank(other)


def must_wait_for(lease: Lease, other: Lease) -> bool:
    """Whether the other one is to be asked for before this one.

    One that is refused again and again is asked for alone, or its elder would be renewed as often.
    """
    alone = not lease.held and lease.trouble.failures > 0 and other.held
    return was_opened_first(other, lease) and not (other.static or lease.pair.companion_asked or alone)


def may_be_shut_by(other: Lease, touched: Lease) -> bool:
    """Whether asking for `touched`, or deleting it, may shut the other one."""
    return touched.held and other.held and not touched.static and was_opened_first(touched, other)


def _rank(lease: Lease) -> tuple[bool, float]:
    return not lease.held, lease.pair.open_order or inf
