"""Record: an immutable snapshot of where this node can be reached. Pure.

Keys and meanings are those of EIP-778. How a record is signed is decided by a publisher.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias

from portmap.errors import SpecError
from portmap.model import MAX_PORT, Address

Value: TypeAlias = int | bytes | str | Address | tuple["Value", ...]
"""What an entry may hold: all that RLP can carry, and what is easily made of it."""

_PORTS = ("tcp", "tcp6", "udp", "udp6")
_ADDRESSES: dict[str, type[Address]] = {"ip": IPv4Address, "ip6": IPv6Address}


@dataclass(frozen=True, slots=True)
class Record:
    """What holds now: `entries` sorted by key, each key once, and a `seq` that only ever rises."""

    seq: int
    entries: tuple[tuple[str, Value], ...] = ()

    def get(self, key: str) -> Value | None:
        """The value of an entry, None where there is none."""
        return dict(self.entries).get(key)

    @property
    def ip(self) -> IPv4Address | None:
        """The IPv4 address."""
        value = self.get("ip")
        return value if isinstance(value, IPv4Address) else None

    @property
    def ip6(self) -> IPv6Address | None:
        """The IPv6 address."""
        value = self.get("ip6")
        return value if isinstance(value, IPv6Address) else None

    @property
    def tcp(self) -> int | None:
        """The TCP port, of both families unless `tcp6` says otherwise."""
        return self._port("tcp")

    @property
    def tcp6(self) -> int | None:
        """The TCP port at `ip6`, where it differs from `tcp`."""
        return self._port("tcp6")

    @property
    def udp(self) -> int | None:
        """The UDP port, of both families unless `udp6` says otherwise."""
        return self._port("udp")

    @property
    def udp6(self) -> int | None:
        """The UDP port at `ip6`, where it differs from `udp`."""
        return self._port("udp6")

    def _port(self, key: str) -> int | None:
        value = self.get(key)
        return value if isinstance(value, int) else None


def checked(key: str, value: Value) -> Value:
    """The value, if an entry of that key may hold it. Raises SpecError."""
    if key in _PORTS:
        return checked_port(key, value)
    if key in _ADDRESSES and not isinstance(value, _ADDRESSES[key]):
        raise SpecError(f"record entry {key!r} cannot be {value!r}: give an {_ADDRESSES[key].__name__}")
    _check_numbers(key, value)
    return value


def checked_port(key: str, value: Value) -> int:
    """The value, if it is a port. Raises SpecError."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_PORT:
        raise SpecError(f"record entry {key!r} cannot be {value!r}: use a port from 1 to {MAX_PORT}")
    return value


def _check_numbers(key: str, value: Value) -> None:
    if isinstance(value, tuple):
        for part in value:
            _check_numbers(key, part)
    elif isinstance(value, bool) or (isinstance(value, int) and value < 0):
        raise SpecError(f"record entry {key!r} cannot be {value!r}: a record has only numbers from 0 up")
