"""`if:NAME`: the address of an interface, for a host that is public already.

Nothing is sent; the system is asked at every call, since addresses come and go.
"""

import importlib
import re
import socket
import sys
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import ClassVar, TypeAlias

from portmap.errors import NoGateway, SpecError
from portmap.hookspecs import hookimpl
from portmap.model import Address, Grant, Kind, Scope, scope_of

AddressesOf: TypeAlias = Callable[[str], Sequence[Address]]

_NAME = r"[^\s/:@]{1,255}"  # Linux: up to 15 without white space, / and : (net/core/dev.c); Windows: longer
_MOST_NAMED = 16  # interfaces; a host of containers has hundreds


class Interface:
    """The first public address of an interface, IPv4 rather than IPv6; `addresses_of` gives all of them."""

    kind: ClassVar[Kind] = Kind.STATIC
    opens_ports: ClassVar[bool] = True

    def __init__(self, name: str, addresses_of: AddressesOf) -> None:
        self._name = name
        self._addresses_of = addresses_of
        self._is_known = False

    @classmethod
    def from_argument(cls, argument: str | None) -> "Interface":
        """An interface's name. Raises SpecError for what cannot be one, and where the system cannot be asked."""
        if not argument:
            raise SpecError("if needs an interface: write if:eth0 with the name of your own")
        if not argument.isprintable() or not re.fullmatch(_NAME, argument):
            raise SpecError("if: this is no interface's name: write if:eth0")
        return cls(argument, reader())

    def __str__(self) -> str:
        """The interface's name once there is one of that name: what was typed may be anything."""
        self._is_known = self._is_known or self._name in _names()
        return f"interface {self._name}" if self._is_known else "interface (not found)"

    @hookimpl
    def external_ip(self) -> Address:
        """The address as it is now. Raises NoGateway where the interface has no public one."""
        held = sorted(self._addresses_of(self._name), key=lambda address: address.version)
        self._is_known = self._is_known or bool(held)
        public = [address for address in held if scope_of(address) is Scope.PUBLIC]
        if not public:
            raise NoGateway(self._why_not(held))
        return public[0]

    @hookimpl
    def add_mapping(self, external_port: int, internal_port: int) -> Grant:
        """There is no NAT: the port outside is the one inside, unless the router forwards another one."""
        return Grant(external_port or internal_port, lifetime=0, static=True)

    @hookimpl
    def delete_mapping(self) -> None:
        """Nothing was sent, so there is nothing to take back."""

    def _why_not(self, held: Sequence[Address]) -> str:
        if held:
            return (
                f"{self} has only {', '.join(map(str, held))}, not public: use pcp, pmp or upnp, or another interface"
            )
        names = _names()
        what = f"{self} has no address" if self._name in names else "there is no interface of that name"
        more = ", …" if len(names) > _MOST_NAMED else ""
        return f"{what}: use another of {', '.join(names[:_MOST_NAMED])}{more}"


def _names() -> list[str]:
    """The interfaces of this host. Windows has other names for them than netifaces."""
    return [name for _, name in socket.if_nameindex()]


def reader(platform: str = sys.platform) -> AddressesOf:
    """How to learn an interface's addresses here. Raises SpecError where there is no way."""
    if platform == "linux":
        return importlib.import_module("portmap_extip.linux_addresses").addresses_of  # type: ignore[no-any-return]
    try:
        importlib.import_module("netifaces")
    except ModuleNotFoundError as error:
        text = "if needs netifaces on this system: write extip:ADDRESS, or install portmap-nat[gateway]"
        raise SpecError(text) from error
    return _addresses_by_netifaces


def _addresses_by_netifaces(name: str) -> list[Address]:
    netifaces = importlib.import_module("netifaces")  # an extra, hence imported only here
    try:
        held = netifaces.ifaddresses(name)
    except (ValueError, OSError):
        return []
    entries = [*held.get(netifaces.AF_INET, ()), *held.get(netifaces.AF_INET6, ())]
    return [ip_address(entry["addr"].partition("%")[0]) for entry in entries if "addr" in entry]
