"""RateLimit: one try a second for each address. Pure: the time is an argument. Bounded: a full table refuses."""

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, IPv6Network

from portmap.model import Address

PAUSE = 1.0  # seconds between two tries for one address
MAX_ADDRESSES = 4096


@dataclass(slots=True)
class RateLimit:
    """Addresses and when each was last served, the longest ago first."""

    pause: float = PAUSE
    capacity: int = MAX_ADDRESSES
    _served: dict[IPv4Address | IPv6Network, float] = field(default_factory=dict)

    def allows(self, address: Address, now: float) -> bool:
        """Whether this address may be served now, which is then recorded. An IPv6 host counts by its /64 network."""
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


def _key(address: Address) -> IPv4Address | IPv6Network:
    """A network of 64 bits is one customer: it has as many addresses as it likes."""
    return IPv6Network((address, 64), strict=False) if isinstance(address, IPv6Address) else address
