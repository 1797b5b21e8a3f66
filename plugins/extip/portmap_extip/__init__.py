"""The static backend: the external address is known, ports are forwarded by hand, nothing is ever sent.

`extip:203.0.113.7`, also spelt `ip:…`. Law: no I/O. The requested ports are taken on trust.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import ClassVar

from portmap.errors import SpecError
from portmap.hookspecs import hookimpl
from portmap.model import Grant, Kind

Address = IPv4Address | IPv6Address


class ExtIp:
    """A known external address. Raises SpecError for one that nobody could reach."""

    kind: ClassVar[Kind] = Kind.STATIC

    def __init__(self, address: Address) -> None:
        self._address = address

    @classmethod
    def from_argument(cls, argument: str | None) -> "ExtIp":
        """Parse the address: an IP literal without zone; v4-mapped IPv6 becomes IPv4, as in go-ethereum."""
        if not argument:
            raise SpecError("extip needs an address: write extip:203.0.113.7 with your own external address")
        return cls(_usable(_literal(argument), argument))

    def __str__(self) -> str:
        return f"extip {self._address}"

    @hookimpl
    def external_ip(self) -> Address:
        """The address as given."""
        return self._address

    @hookimpl
    def add_mapping(self, external_port: int, internal_port: int) -> Grant:
        """The port as asked for; without a wish, the internal one."""
        return Grant(external_port or internal_port, lifetime=0)

    @hookimpl
    def delete_mapping(self) -> None:
        """Nothing was sent, so there is nothing to take back."""


def _literal(argument: str) -> Address:
    try:
        address = ip_address(argument)
    except ValueError:
        raise SpecError(f"extip: {argument!r} is no IP address: write extip:203.0.113.7, without a port") from None
    if isinstance(address, IPv6Address):
        if address.scope_id:
            raise SpecError(f"extip: {argument!r} has a zone: an external address has none")
        return address.ipv4_mapped or address
    return address


def _usable(address: Address, argument: str) -> Address:
    if address.is_unspecified:
        raise SpecError(f"extip: {argument} means 'no address': give the one that others reach you at")
    if address.is_multicast or address == IPv4Address("255.255.255.255"):
        raise SpecError(f"extip: {argument} is a group address: give the one that others reach you at")
    return address
