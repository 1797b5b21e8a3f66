"""The name by which a backend calls its gateway, as in "NAT-PMP 192.168.1.1" or "UPnP [fd00::1] (IGD:2)". Pure.

Any backend may choose any name. Only the addresses in it are read: they are the same in every protocol. A chain's name
has the address of each of its gateways, from this host outwards.
"""

from contextlib import suppress
from ipaddress import IPv4Address, ip_address

from portmap.model import Address

_SEPARATORS = str.maketrans(dict.fromkeys("()[],;=@/", " "))


def addresses_in(name: str) -> tuple[Address, ...]:
    """The addresses in a gateway's name, in its order."""
    found: list[Address] = []
    for word in name.translate(_SEPARATORS).split():
        host = word.partition(":")[0] if word.count(":") == 1 else word  # a port may follow an IPv4 address
        with suppress(ValueError):
            found.append(ip_address(host))
    return tuple(found)


def gateway_address(name: str) -> str:
    """The address of the gateway, of a chain the one nearest to this host; empty where the name tells none."""
    return next(map(str, addresses_in(name)), "")


def ipv4_gateway_address(name: str) -> IPv4Address | None:
    """The first IPv4 address in a gateway's name; None where there is none."""
    return next((address for address in addresses_in(name) if isinstance(address, IPv4Address)), None)


def is_same_gateway(name: str, other: str) -> bool:
    """Whether two names, as of two protocols, are those of one gateway, or of one chain.

    The addresses say so; without any, the whole name does.
    """
    return (addresses_in(name) or name) == (addresses_in(other) or other)
