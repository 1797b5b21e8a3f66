"""AnswerQuota: how many answers to one search each sender may give, so that no stranger makes the search grow.

Each default gateway has a quota of its own, for answers with proof and for those without; so has each other host, and
no more than MAX_OTHER_HOSTS of them get one.
"""

from collections import Counter
from dataclasses import dataclass, field

from portmap.model import Address

PER_HOST = 4  # different LOCATIONs that one host may name; FRITZ!Boxes have two
# Hosts that are no default gateways, and questions to them, in one search. Each place that they name is looked at on a
# thread and a connection of its own, by IPv4 and IPv6, and a process has 1,024 files as a rule.
MAX_OTHER_HOSTS = 32


@dataclass(slots=True)
class AnswerQuota:
    """How many LOCATIONs each sender may still name, and which other hosts may be asked. Bounded; gateways are few."""

    _gateways: Counter[tuple[Address, bool]] = field(default_factory=Counter)
    _other_hosts: Counter[Address] = field(default_factory=Counter)
    _asked: Counter[Address] = field(default_factory=Counter)

    def has_room(self, host: Address, is_gateway: bool, proves: bool) -> bool:
        """Count one more LOCATION of this host, if it may have one."""
        if is_gateway:
            self._gateways[host, proves] += 1
            return self._gateways[host, proves] <= PER_HOST
        return _count(self._other_hosts, host)

    def has_room_to_ask(self, host: Address) -> bool:
        """Count one more question to this host, if it may get one."""
        return self._asked.total() < MAX_OTHER_HOSTS and _count(self._asked, host)


def _count(by_host: Counter[Address], host: Address) -> bool:
    """Count one more for this host, no default gateway, unless it had its share or there are too many such hosts."""
    if by_host[host] >= PER_HOST or (host not in by_host and len(by_host) >= MAX_OTHER_HOSTS):
        return False
    by_host[host] += 1
    return True
