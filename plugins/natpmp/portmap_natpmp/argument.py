"""The ARGUMENT of `pmp:ARGUMENT`: the gateway's IPv4 address, nothing else.

Law: pure; nothing is looked up. Accepted is what go-ethereum accepts (net.ParseIP), save the addresses that no NAT-PMP
gateway can have.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address

from portmap.errors import SpecError

_TRY = "write the gateway's IPv4 address, as in pmp:192.168.1.1"
_BROADCAST = IPv4Address("255.255.255.255")


def parse_gateway(argument: str) -> IPv4Address:
    """The gateway's address. Raises SpecError for anything that is none."""
    if not argument:
        raise SpecError("the gateway after the colon is missing: write pmp:192.168.1.1, or pmp alone to look for it")
    try:
        address = ip_address(argument)
    except ValueError:
        raise SpecError(f"gateway {argument!r} {_what_is_wrong(argument)}: {_TRY}") from None
    return _judge(_as_ipv4(address))


def _as_ipv4(address: IPv4Address | IPv6Address) -> IPv4Address:
    """The address itself, or the one that ::ffff:192.168.1.1 wraps, which go-ethereum takes for IPv4 too."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is None or address.scope_id is not None:
        raise SpecError(f"gateway {address} is an IPv6 address, but NAT-PMP is an IPv4 protocol: {_TRY}")
    return address.ipv4_mapped


def _judge(address: IPv4Address) -> IPv4Address:
    """The address, if a gateway can have it."""
    if address.is_unspecified:
        raise SpecError(f"gateway {address} is the unspecified address, which nobody has: {_TRY}")
    if address.is_multicast:
        raise SpecError(f"gateway {address} is a multicast address, NAT-PMP speaks to one gateway: {_TRY}")
    if address == _BROADCAST:
        raise SpecError(f"gateway {address} is the broadcast address, NAT-PMP speaks to one gateway: {_TRY}")
    return address


def _what_is_wrong(argument: str) -> str:
    """Why this is no address, for a user who meant something by it."""
    head, colon, port = argument.rpartition(":")
    if colon and port.isdecimal() and ("]" in head or ":" not in head):
        return "has a port, but NAT-PMP is always spoken on 5351"
    if "%" in argument:
        return "has a zone, which an IPv4 address never has"
    return "is no IP address, and names are not looked up"
