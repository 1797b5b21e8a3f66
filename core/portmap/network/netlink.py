"""The links, addresses and routes of this host, as the kernel lists them by rtnetlink(7). Linux only.

No privilege is needed, and nothing is sent. The parsing is pure; what asks the kernel raises OSError.
"""

import socket
import struct
import sys
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from portmap.model import Address

_HEADER = struct.Struct("=IHHII")  # nlmsghdr, linux/netlink.h: length, type, flags, sequence number, port
_ATTRIBUTE = struct.Struct("=HH")  # rtattr, linux/rtnetlink.h: length, type
_REQUEST, _REQUEST_DUMP = 0x1, 0x1 | 0x300  # NLM_F_REQUEST, and NLM_F_DUMP with it
# What can be listed: the request's type (linux/rtnetlink.h). The entries of the answer have the type two below it.
LINKS, ADDRESSES, ROUTES = 18, 22, 26  # RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE
_ERROR, _DONE = 2, 3  # NLMSG_ERROR, NLMSG_DONE
_TYPE = 0x3FFF  # NLA_TYPE_MASK: without the flags
_TIMEOUT = 2.0  # seconds; the kernel answers at once
_RECEIVE = 1 << 18  # bytes; one datagram of a dump has up to 32 KiB
_UP, _LOOPBACK, _RUNNING = 0x1, 0x8, 0x40  # IFF_UP, IFF_LOOPBACK, IFF_RUNNING: linux/if.h
_IFLA_IFNAME = 3  # linux/if_link.h
_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS = 1, 2, 8  # linux/if_addr.h
_FLEETING = 0x01  # IFA_F_TEMPORARY: RFC 8981, gone in a day or so
_OUT_OF_USE = 0x08 | 0x20 | 0x40  # IFA_F_DADFAILED, IFA_F_DEPRECATED, IFA_F_TENTATIVE
_RTA_OIF, _RTA_GATEWAY, _RTA_PRIORITY, _RTA_MULTIPATH, _RTA_TABLE = 4, 5, 6, 9, 15  # linux/rtnetlink.h
_MAIN_TABLE, _UNICAST = 254, 1  # RT_TABLE_MAIN, RTN_UNICAST: linux/rtnetlink.h
_LINK = struct.Struct("=BxHiII")  # ifinfomsg: family, type, index, flags, change
_ADDRESS = struct.Struct("=BBBBI")  # ifaddrmsg: family, prefix length, flags, scope, index
_ROUTE = struct.Struct("=BBBBBBBBI")  # rtmsg: family, dst_len, src_len, tos, table, protocol, scope, type, flags
_NEXT_HOP = struct.Struct("=HBBi")  # rtnexthop: length, flags, hops, index
_NUMBER = struct.Struct("=I")


class Link(NamedTuple):
    """One interface: its name, its number, its flags (IFF_UP and others)."""

    name: str
    number: int
    flags: int

    @property
    def is_up(self) -> bool:
        """Whether it is switched on."""
        return bool(self.flags & _UP)

    @property
    def is_connected(self) -> bool:
        """Whether its cable is plugged in, or its radio joined to a network."""
        return bool(self.flags & _RUNNING)

    @property
    def is_loopback(self) -> bool:
        """Whether it leads to this host itself."""
        return bool(self.flags & _LOOPBACK)


def links() -> list[Link]:
    """Every interface. Raises OSError."""
    return parse_links(dump(LINKS, socket.AF_UNSPEC))


def addresses(number: int) -> list[Address]:
    """As `parse_addresses`, for the interface of that number. Raises OSError."""
    return parse_addresses(dump(ADDRESSES, socket.AF_UNSPEC), number)


def default_gateways(number: int, family: int) -> list[Address]:
    """As `parse_default_routes`, for the interface of that number. Raises OSError."""
    return parse_default_routes(dump(ROUTES, family), number)


def way_out(source: IPv4Address, destination: IPv4Address) -> int:
    """The number of the interface by which a packet of ours with these addresses leaves. Raises OSError."""
    told = attributes(route(source.packed, destination.packed)[_ROUTE.size :])
    return _number(told.get(_RTA_OIF, b""), 0)


def parse_links(entries: Iterable[bytes]) -> list[Link]:
    """The interfaces of a list of links; pure."""
    found = []
    for entry in entries:
        _, _, index, flags, _ = _LINK.unpack_from(entry)
        name = attributes(entry[_LINK.size :]).get(_IFLA_IFNAME, b"").partition(b"\0")[0]
        found.append(Link(name.decode(errors="replace"), index, flags))
    return found


def parse_addresses(entries: Iterable[bytes], index: int) -> list[Address]:
    """The addresses in use of the interface of that number, in the order of `addresses`; pure."""
    found: list[tuple[int, int, Address]] = []
    for entry in entries:
        family, _, flags, _, its_index = _ADDRESS.unpack_from(entry)
        told = attributes(entry[_ADDRESS.size :])
        packed = told.get(_IFA_LOCAL) or told.get(_IFA_ADDRESS, b"")  # of a point-to-point link the other is the peer's
        flags = _number(told.get(_IFA_FLAGS, b""), flags)
        address = _address(family, packed)
        if its_index == index and address is not None and not flags & _OUT_OF_USE:
            fleeting = flags & _FLEETING if isinstance(address, IPv6Address) else 0  # of IPv4: IFA_F_SECONDARY
            found.append((address.version, fleeting, address))
    return [address for *_, address in sorted(found, key=lambda row: row[:2])]


def parse_default_routes(entries: Iterable[bytes], index: int) -> list[Address]:
    """The gateways of the default routes by the interface of that number, best first; pure."""
    found: list[tuple[bool, int, Address]] = []
    for entry in entries:
        family, prefix, source_prefix, _, table, _, _, kind, _ = _ROUTE.unpack_from(entry)
        told = attributes(entry[_ROUTE.size :])
        table = _number(told.get(_RTA_TABLE, b""), table)
        if prefix or source_prefix or kind != _UNICAST:
            continue
        metric = _number(told.get(_RTA_PRIORITY, b""), 0)
        for its_index, gateway in _next_hops(told):
            address = _address(family, gateway)
            if its_index == index and address is not None:
                found.append((table != _MAIN_TABLE, metric, address))
    return list(dict.fromkeys(address for *_, address in sorted(found, key=lambda row: row[:2])))


def _next_hops(told: dict[int, bytes]) -> Iterator[tuple[int, bytes]]:
    """The interface's number and the gateway of each way of a route."""
    yield _number(told.get(_RTA_OIF, b""), 0), told.get(_RTA_GATEWAY, b"")
    ways, at = told.get(_RTA_MULTIPATH, b""), 0
    while at + _NEXT_HOP.size <= len(ways):
        length, _, _, index = _NEXT_HOP.unpack_from(ways, at)
        if length < _NEXT_HOP.size:
            return
        yield index, attributes(ways[at + _NEXT_HOP.size : at + length]).get(_RTA_GATEWAY, b"")
        at += length + 3 & ~3


def _address(family: int, packed: bytes) -> Address | None:
    if family == socket.AF_INET and len(packed) == 4:
        return IPv4Address(packed)
    return IPv6Address(packed) if family == socket.AF_INET6 and len(packed) == 16 else None


def _number(packed: bytes, default: int) -> int:
    return int(_NUMBER.unpack(packed)[0]) if len(packed) == _NUMBER.size else default


def route(source: bytes, destination: bytes) -> bytes:
    """The route that a packet between these IPv4 addresses takes, ours first, without its header. Raises OSError."""
    body = struct.pack("=BBBBBBBBI", socket.AF_INET, 32, 32, 0, 0, 0, 0, 0, 0)  # rtmsg
    for kind, address in ((1, destination), (2, source)):  # RTA_DST, RTA_SRC
        body += _ATTRIBUTE.pack(_ATTRIBUTE.size + len(address), kind) + address
    with _socket() as asked:
        asked.send(_HEADER.pack(_HEADER.size + len(body), ROUTES, _REQUEST, 1, 0) + body)
        for kind, entry in messages(asked.recv(_RECEIVE)):
            if kind == ROUTES - 2:
                return entry
    raise OSError(0, "the kernel does not tell the route")


def dump(what: int, family: int) -> list[bytes]:
    """Every entry of that kind, LINKS, ADDRESSES or ROUTES, each without its header. Raises OSError."""
    entries: list[bytes] = []
    with _socket() as asked:
        body = struct.pack("=B15x", family)  # ifinfomsg, as long as the longest of the three
        asked.send(_HEADER.pack(_HEADER.size + len(body), what, _REQUEST_DUMP, 1, 0) + body)
        while True:
            for kind, entry in messages(asked.recv(_RECEIVE)):
                if kind == _DONE:
                    return entries
                if kind == _ERROR:
                    raise OSError(-struct.unpack_from("=i", entry)[0], "the kernel does not list it")
                if kind == what - 2:
                    entries.append(entry)


def messages(datagram: bytes) -> Iterator[tuple[int, bytes]]:
    """The type and the content of each message; pure. What is cut off is left out."""
    at = 0
    while at + _HEADER.size <= len(datagram):
        length, kind, *_ = _HEADER.unpack_from(datagram, at)
        if length < _HEADER.size or at + length > len(datagram):
            return
        yield kind, datagram[at + _HEADER.size : at + length]
        at += length + 3 & ~3


def attributes(data: bytes) -> dict[int, bytes]:
    """The attributes behind an entry's fixed part, by their type; pure. What is cut off is left out."""
    found: dict[int, bytes] = {}
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < _ATTRIBUTE.size or at + length > len(data):
            break
        found[kind & _TYPE] = data[at + _ATTRIBUTE.size : at + length]
        at += length + 3 & ~3
    return found


def _socket() -> socket.socket:
    if sys.platform != "linux":
        raise OSError(0, "only Linux has rtnetlink")
    asked = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    asked.settimeout(_TIMEOUT)
    return asked
