"""The ARGUMENT of `pcp:ARGUMENT`: the gateway's address, IPv4 or IPv6. Pure; nothing is looked up."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address

from portmap.errors import SpecError
from portmap.model import Address

_TRY = "write the gateway's address, as in pcp:192.168.1.1 or pcp:fe80::1%eth0"
_BROADCAST = IPv4Address("255.255.255.255")
_ZONE = r"(?a:[\w.@:-]{1,64})"  # an interface's name, as systems have them, or its number


def parse_gateway(argument: str) -> Address:
    """The gateway's address. Raises SpecError for anything that is none, without repeating the argument."""
    if not argument:
        raise SpecError("the gateway after the colon is missing: write pcp:192.168.1.1, or pcp alone to look for it")
    try:
        address = ip_address(argument)
    except ValueError:
        raise SpecError(f"the gateway {_what_is_wrong(argument)}: {_TRY}") from None
    return _judge(_plain(address))


def _plain(address: Address) -> Address:
    """The address itself, or the IPv4 address that ::ffff:192.168.1.1 wraps."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped and address.scope_id is None:
        return address.ipv4_mapped
    return address


def _judge(address: Address) -> Address:
    """The address, if a gateway can have it."""
    if address.is_unspecified:
        raise SpecError(f"the gateway is the unspecified address, which no host has: {_TRY}")
    if address.is_multicast or address == _BROADCAST:
        raise SpecError(f"the gateway is a group's address, PCP speaks to one gateway: {_TRY}")
    if isinstance(address, IPv6Address) and bool(address.scope_id) != address.is_link_local:
        what = "has a zone, which only link-local addresses have" if address.scope_id else "lacks its zone"
        raise SpecError(f"the gateway's address {what}: {_TRY}")
    if isinstance(address, IPv6Address) and not re.fullmatch(_ZONE, address.scope_id or "none"):
        raise SpecError(f"the gateway's address has a zone that is no interface's name: {_TRY}")
    return address


def _what_is_wrong(argument: str) -> str:
    """Why this is no address, for a user who meant something by it."""
    head, colon, port = argument.rpartition(":")
    if colon and port.isdecimal() and ("]" in head or ":" not in head):
        return "has a port, but PCP is always spoken on 5351"
    return "is no IP address, and names are not looked up"
