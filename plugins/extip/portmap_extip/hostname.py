"""The address of this host by its name, looked up again whenever it is asked for: a dynamic DNS name of the user's.

Raises portmap errors only.
"""

from ipaddress import IPv4Address

from portmap.errors import NoGateway
from portmap.model import Address
from portmap.network.name_lookup import LookUp, NameLookup, look_up

TIMEOUT = 4.0  # seconds; below the core's deadline for a call


class Hostname:
    """`look_up` and `timeout`, in seconds, are for tests."""

    def __init__(self, name: str, look_up: LookUp = look_up, timeout: float = TIMEOUT) -> None:
        self._name = name
        self._lookup = NameLookup(name, timeout, look_up)
        self._last: Address | None = None

    def address(self) -> Address:
        """The address now: IPv4 rather than IPv6, and of several the one that it was before.

        Raises NoGateway if there is none that others could reach, GatewayTimeout if that could not be found out.
        """
        found = self._lookup.addresses()
        usable = [address for address in found if _is_usable(address)]
        choice = [address for address in usable if address.version == 4] or usable
        if not choice:
            told = ", ".join(sorted(set(map(str, found)))) or "nothing"
            raise NoGateway(f"{self._name} is {told}, where no other host reaches you: correct it in DNS or /etc/hosts")
        if self._last is None or self._last not in choice:  # name servers change the order at will
            self._last = choice[0]
        return self._last


def _is_usable(address: Address) -> bool:
    """Whether another host could reach us at this address."""
    no_host = address.is_unspecified or address.is_multicast or address == IPv4Address("255.255.255.255")
    return not (no_host or address.is_loopback or address.is_link_local)
