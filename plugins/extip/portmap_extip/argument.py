"""The ARGUMENT of `extip:ARGUMENT`: an IP address, or the name of a host.

Pure; no name is looked up. An address is an IP literal without zone; v4-mapped IPv6 becomes IPv4, as in
go-ethereum. A name is a domain name: a single label, such as `localhost`, means something in the home network only.
"""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address

from portmap.errors import SpecError

_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"  # RFC 1123 §2.1, RFC 1035 §2.3.1
_LONGEST = 253  # RFC 1035 §2.3.4: 255 octets on the wire
_NUMBER = r"[0-9]+|0[xX][0-9A-Fa-f]*"  # such a last label makes it an address: WHATWG URL, "ends in a number"


def parse(argument: str | None) -> IPv4Address | IPv6Address | str:
    """The address, or the name. Raises SpecError for anything else, without repeating it."""
    if not argument:
        raise SpecError(
            "extip needs an address: write extip:203.0.113.7 with your own external address, or extip:home.example.org"
        )
    if _is_name(argument):
        return argument
    return _usable(_literal(argument))


def _is_name(text: str) -> bool:
    name = text.removesuffix(".")
    labels = name.split(".")
    return (
        len(name) <= _LONGEST
        and len(labels) > 1
        and all(re.fullmatch(_LABEL, label) for label in labels)
        and not re.fullmatch(_NUMBER, labels[-1])
    )


def _literal(argument: str) -> IPv4Address | IPv6Address:
    try:
        address = ip_address(argument)
    except ValueError:
        raise SpecError(
            "extip: this is no IP address and no host's full name: "
            "write extip:203.0.113.7 or extip:home.example.org, without a port"
        ) from None
    if isinstance(address, IPv6Address):
        if address.scope_id:
            raise SpecError("extip: the address has a zone, which means nothing elsewhere: write it without one")
        return address.ipv4_mapped or address
    return address


def _usable(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if address.is_unspecified:
        raise SpecError(f"extip: {address} means 'no address': give the one that others reach you at")
    if address.is_multicast or address == IPv4Address("255.255.255.255"):
        raise SpecError(f"extip: {address} is a group address: give the one that others reach you at")
    return address
