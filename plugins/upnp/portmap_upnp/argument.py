"""What follows `upnp:`. Pure. No error repeats it: a URL may have a password in it."""

from ipaddress import AddressValueError, IPv4Address

from portmap.errors import Garbled, SpecError
from portmap.model import Scope, scope_of
from portmap_upnp.location import Location, parse_url


def parse_gateway(argument: str, name: str, interface: str | None = None) -> IPv4Address | Location:
    """The gateway's address, at which its description is then searched for, or the URL of the description.

    `name` is the backend's, `interface` the one to reach the URL by. Raises SpecError for anything else, and for an
    address that is no gateway's.
    """
    form = f"write {name}, or {name}:192.168.1.1, or {name}:http://192.168.1.1:5000/rootDesc.xml"
    address = _address(argument)
    if address is None:
        return _parse_location(argument, name, form, interface)
    if scope_of(address) is Scope.PUBLIC or address.is_unspecified or address.is_multicast:
        raise SpecError(f"{name}: this is no address of a gateway; {form}")
    return address


def _address(argument: str) -> IPv4Address | None:
    """The address; None for what is none. No error that repeats the argument is left as the context of another."""
    try:
        return IPv4Address(argument)
    except AddressValueError:
        return None


def _parse_location(argument: str, name: str, form: str, interface: str | None) -> Location:
    try:
        location = parse_url(argument, interface)
    except Garbled as error:
        raise SpecError(f"{name}: {error}; {form}") from error
    if not isinstance(location.host, IPv4Address):
        raise SpecError(f"{name}: this is no URL of a gateway by IPv4; {form}")
    return location
