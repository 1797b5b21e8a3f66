"""The ARGUMENT of `pmp:ARGUMENT` or `protonvpn:ARGUMENT`: the gateway's IPv4 address. Pure; nothing is looked up.

It accepts what go-ethereum accepts (net.ParseIP), but for the addresses that no NAT-PMP gateway can have.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address

from portmap.errors import SpecError
from portmap.model import Scope, scope_of

_BROADCAST = IPv4Address("255.255.255.255")


def parse_gateway(argument: str, form: str = "pmp:192.168.1.1") -> IPv4Address:
    """The gateway's address. Raises SpecError for anything that is none; `form` is how to write one.

    No error repeats the argument: it may be a password in the wrong place.
    """
    if not argument:
        raise SpecError(f"the gateway after the colon is missing: write {form}, or no colon")
    try:
        return _judge(_as_ipv4(ip_address(argument)))
    except SpecError as error:
        fault = str(error)
    except ValueError:
        fault = f"the gateway {_what_is_wrong(argument)}"
    raise SpecError(f"{fault}: write the gateway's IPv4 address, as in {form}")


def hinted_gateway(hint: str) -> tuple[IPv4Address, ...]:
    """The gateway that an earlier session noted; none if that is no address of a private network.

    A file may have been tampered with: only the user or the routes can name a gateway elsewhere.
    """
    try:
        address = parse_gateway(hint)
    except SpecError:
        return ()
    return (address,) if scope_of(address) is Scope.PRIVATE or address.is_loopback else ()


def _as_ipv4(address: IPv4Address | IPv6Address) -> IPv4Address:
    """The address itself, or the one that ::ffff:192.168.1.1 wraps, which go-ethereum takes for IPv4 too."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is None or address.scope_id is not None:
        raise SpecError("the gateway is an IPv6 address, but NAT-PMP is an IPv4 protocol")
    return address.ipv4_mapped


def _judge(address: IPv4Address) -> IPv4Address:
    """The address, if a gateway can have it."""
    if address.is_unspecified:
        raise SpecError(f"gateway {address} is the unspecified address, which no host has")
    if address.is_multicast:
        raise SpecError(f"gateway {address} is a multicast address, NAT-PMP speaks to one gateway")
    if address == _BROADCAST:
        raise SpecError(f"gateway {address} is the broadcast address, NAT-PMP speaks to one gateway")
    return address


def _what_is_wrong(argument: str) -> str:
    """Why this is no address, for a user who meant something by it."""
    head, colon, port = argument.rpartition(":")
    if colon and port.isdecimal() and ("]" in head or ":" not in head):
        return "has a port, but NAT-PMP is always spoken on 5351"
    if "%" in argument:
        return "has a zone, which an IPv4 address never has"
    return "is no IP address, and names are not looked up"
