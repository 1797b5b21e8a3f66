"""One network interface of this host, by its name: whether it can be used, its gateways, its addresses. Linux only.

For a host with several networks. A socket that `use_interface` was called for sends by that interface and receives from
it, whatever the routes prefer (SO_BINDTODEVICE, socket(7)); no root is needed since Linux 5.7.

Nothing is sent here. The kernel is asked each time: interfaces come and go.
"""

import socket
import sys
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

from portmap.errors import NoGateway, SpecError
from portmap.model import Address, Scope, scope_of

if TYPE_CHECKING:
    from portmap.network.netlink import Link

MOST_GATEWAYS = 8
"""Default gateways that count, the best ones: each is asked, and any host of a link can announce itself as an IPv6
router, by thousands of addresses (RFC 4861 §6.3.4)."""

_MOST_NAMED = 16  # interfaces; a host of containers has hundreds
_ONLY_LINUX = "an interface can be chosen on Linux only: leave it out, and name the gateway, as in pmp:192.168.1.1"


def require_interface(name: str, platform: str = sys.platform) -> None:
    """Raises SpecError where there is no such interface, with those there are; for loopback; and not on Linux."""
    if platform != "linux":
        raise SpecError(_ONLY_LINUX)
    links = _links()
    link = next((link for link in links if link.name == name), None)
    if link is None:
        raise SpecError(f"there is no interface {name}: {_named(links)}")
    if link.is_loopback:
        raise SpecError(f"{name} leads to this host itself, so no gateway is there: {_named(links)}")


def check_usable(name: str | None) -> None:
    """Raises NoGateway, which says why, where nothing can be sent by this interface now; None: nothing is checked."""
    if name is None:
        return
    link = _link(name)
    if link is None:
        raise NoGateway(f"the interface {name} is gone: is it plugged in?")
    if not link.is_up:
        raise NoGateway(f"the interface {name} is down: bring it up, as by ip link set {name} up")
    if not link.is_connected:
        raise NoGateway(f"the interface {name} is not connected: is its cable plugged in?")


def check_has_ipv4(name: str | None) -> None:
    """As `check_usable`; and raises NoGateway where the interface has no IPv4 address.

    The kernel would then send from the address of another interface, which no router here would answer.
    """
    check_usable(name)
    if name is not None and not any(isinstance(address, IPv4Address) for address in addresses(name)):
        raise NoGateway(f"the interface {name} has no IPv4 address: is it connected, and is there DHCP?")


def describe_no_route(name: str) -> str:
    """For people: that no default route leads through the interface, and which addresses it has."""
    held = ", ".join(map(str, addresses(name))) or "no address"
    return f"no default route leads through {name}, which has {held}"


def use_interface(sock: socket.socket, name: str | None) -> None:
    """Have the socket send and receive by this interface alone; None: the routing table decides. Raises OSError."""
    if name is None:
        return
    if sys.platform != "linux":
        raise OSError(0, _ONLY_LINUX)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name.encode() + b"\0")
    except PermissionError as error:
        raise OSError(error.errno, f"the interface {name} cannot be chosen: that needs Linux 5.7 or root") from error
    except OSError as error:
        raise OSError(error.errno, f"the interface {name} cannot be used: {error.strerror}") from error


def addresses(name: str) -> list[Address]:
    """The interface's addresses that are in use, IPv4 first, those that last before temporary ones; [] for none."""
    from portmap.network import netlink  # noqa: PLC0415  # only where an interface was chosen

    link = _link(name)
    try:
        return [] if link is None else netlink.addresses(link.number)
    except OSError:
        return []


def global_ipv6_address(name: str) -> IPv6Address | None:
    """The interface's address in the IPv6 internet, rather a lasting one than a temporary one; None for none."""
    found = (it for it in addresses(name) if isinstance(it, IPv6Address) and scope_of(it) is Scope.PUBLIC)
    return next(found, None)


def default_gateways(name: str) -> list[IPv4Address]:
    """The gateways of the default routes by this interface in any routing table, the main one first, then by metric."""
    return [address for address in _gateways(name, socket.AF_INET) if isinstance(address, IPv4Address)]


def default_gateways6(name: str) -> list[IPv6Address]:
    """The same for IPv6, those on the link with their zone."""
    found = (address for address in _gateways(name, socket.AF_INET6) if isinstance(address, IPv6Address))
    return [IPv6Address(f"{address}%{name}") if address.is_link_local else address for address in found]


def answers_leave_by(name: str, ours: IPv4Address, peer: IPv4Address) -> bool:
    """Whether what this host sends from its address there to the peer leaves by the interface without being told so."""
    from portmap.network import netlink  # noqa: PLC0415  # as above

    link = _link(name)
    try:
        return link is not None and netlink.way_out(ours, peer) == link.number
    except OSError:
        return False


def _gateways(name: str, family: int) -> list[Address]:
    from portmap.network import netlink  # noqa: PLC0415  # as above

    link = _link(name)
    try:
        return [] if link is None else netlink.default_gateways(link.number, family)[:MOST_GATEWAYS]
    except OSError:
        return []


def _link(name: str) -> "Link | None":
    return next((link for link in _links() if link.name == name), None)


def _links() -> "list[Link]":
    from portmap.network import netlink  # noqa: PLC0415  # as above

    try:
        return netlink.links()
    except OSError:
        return []


def _named(links: "Iterable[Link]") -> str:
    """The interfaces that may be chosen, for people."""
    names = [link.name for link in links if not link.is_loopback]
    if not names:
        return "this computer has none that leads elsewhere"
    return f"use one of {', '.join(names[:_MOST_NAMED])}{', …' if len(names) > _MOST_NAMED else ''}"
