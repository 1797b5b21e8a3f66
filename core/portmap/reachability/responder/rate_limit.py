"""What one address may take: one try a second (RateLimit), and few connections at once (Places).

Pure: the time is an argument. Bounded: a full table refuses. An IPv6 host counts by its /64 network.
"""

from collections import Counter
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, IPv6Network

from portmap.model import Address

PAUSE = 1.0  # seconds between two tries for one address
MAX_ADDRESSES = 4096
MAX_CONNECTIONS = 256  # at once
MAX_OF_ONE = 16  # at once, of one address


@dataclass(slots=True)
class RateLimit:
    """Addresses and when each was last served, the longest ago first."""

    pause: float = PAUSE
    capacity: int = MAX_ADDRESSES
    _served: dict[IPv4Address | IPv6Network, float] = field(default_factory=dict)

    def allows(self, address: Address, now: float) -> bool:
        """Whether this address may be served now, which is then recorded."""
        self._forget(now)
        key = _key(address)
        if key in self._served or len(self._served) >= self.capacity:
            return False
        self._served[key] = now
        return True

    def _forget(self, now: float) -> None:
        while self._served:
            key = next(iter(self._served))
            if now - self._served[key] < self.pause:
                return
            del self._served[key]


@dataclass(slots=True)
class Places:
    """The connections that are open at once: `capacity` in all, `of_one` of one address."""

    capacity: int = MAX_CONNECTIONS
    of_one: int = MAX_OF_ONE
    _taken: Counter[IPv4Address | IPv6Network] = field(default_factory=Counter)

    def take(self, address: Address, *, shared: bool = False) -> bool:
        """Take a place, if there is one. `shared`: the address is a proxy's, whose clients are many."""
        key = _key(address)
        if self._taken.total() >= self.capacity or (self._taken[key] >= self.of_one and not shared):
            return False
        self._taken[key] += 1
        return True

    def leave(self, address: Address) -> None:
        """Give a place back that was taken."""
        self._taken -= Counter([_key(address)])


def _key(address: Address) -> IPv4Address | IPv6Network:
    """A network of 64 bits is one customer: it has as many addresses as it likes."""
    return IPv6Network((address, 64), strict=False) if isinstance(address, IPv6Address) else address
