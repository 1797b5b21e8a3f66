"""TCP and UDP of one internal port: which of the two is asked first, and what asking one does to the other.

Law: pure; time is an argument.

miniupnpd 2.3.1 (nftables) holds a filter rule for each mapping, in the order in which they came. To renew by NAT-PMP
or PCP, or to delete, it takes away the newest rule of that host and internal port, whatever its protocol; a renewal
then adds its own. UPnP's renewal touches no rule. So the oldest rule is never taken away while both are mapped, and
each asking of that elder half shuts the younger one, until that is asked, too - which shuts nothing. A gateway that
forgot everything takes whoever is asked first for the elder; it does not say that it forgot. Hence: the elder first,
then the younger, always both, always in this order. It is right for a gateway that remembers both, one, or none.
"""

from math import inf

from portmap.loop.lease import Lease

MAX_POSTPONEMENTS = (
    2  # times that the younger is put off while the gateway has no word for the elder, but answers otherwise
)


def was_opened_first(lease: Lease, other: Lease) -> bool:
    """Whether the gateway got this one first: what is open before what is not, then in the order of their turns."""
    return lease.open_order > 0 and _rank(lease) < _rank(other)


def must_wait_for(lease: Lease, other: Lease) -> bool:
    """Whether the other one is to be asked before this one is.

    What is refused time and again is asked for alone, or its elder would be renewed as often.
    """
    alone = not lease.held and lease.failures > 0 and other.held
    return was_opened_first(other, lease) and not (other.static or lease.companion_asked or alone)


def may_be_shut_by(other: Lease, touched: Lease) -> bool:
    """Whether to ask for, or to delete, the one that is touched may shut the other one."""
    return touched.held and other.held and not touched.static and was_opened_first(touched, other)


def _rank(lease: Lease) -> tuple[bool, float]:
    return not lease.held, lease.open_order or inf
