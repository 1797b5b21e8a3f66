"""An interface's addresses, as Linux tells them; the parsing is pure.

No packet is sent. Raises nothing. Imported on Linux only.
"""

import array
import fcntl
import socket
import struct
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

_IF_INET6 = Path("/proc/net/if_inet6")
_SIOCGIFCONF = 0x8912  # linux/sockios.h; SIOCGIFADDR would tell the first address only
_ROOM = 64  # addresses more than there were when we asked how many
_NAME = 16  # IFNAMSIZ, linux/if.h
_ENTRY = _NAME + struct.calcsize("LLHBBB0L")  # struct ifreq: the name, and a union as large as struct ifmap
_ADDRESS = slice(_NAME + 4, _NAME + 8)  # in the union: struct sockaddr_in, behind its family and port

_GLOBAL = 0x00  # the scope: IPV6_ADDR_ANY in net/ipv6.h, which is what global addresses have
_FLEETING = 0x01  # IFA_F_TEMPORARY, linux/if_addr.h: RFC 8981, gone in a day or so
_OUT_OF_USE = 0x08 | 0x20 | 0x40  # IFA_F_DADFAILED, IFA_F_DEPRECATED, IFA_F_TENTATIVE


def addresses_of(name: str) -> list[IPv4Address | IPv6Address]:
    """The interface's addresses, IPv4 first; none where there is no such interface."""
    return [*parse_ifconf(_ifconf(), name), *parse_if_inet6(_if_inet6(), name)]


def parse_ifconf(entries: bytes, name: str) -> Iterator[IPv4Address]:
    """From what SIOCGIFCONF tells; an address with a label (`eth0:1`) belongs to its interface."""
    for start in range(0, len(entries) - _ENTRY + 1, _ENTRY):
        entry = entries[start : start + _ENTRY]
        label = entry[:_NAME].partition(b"\0")[0].decode(errors="replace")
        if name in (label, label.partition(":")[0]):
            yield IPv4Address(entry[_ADDRESS])


def parse_if_inet6(table: str, name: str) -> list[IPv6Address]:
    """From the text of `/proc/net/if_inet6`: those that are global and in use, lasting ones before temporary ones."""
    rows = [row for line in table.splitlines() if len(row := line.split()) == 6 and row[5] == name]
    held = []
    for address, _, _, scope, flags, _ in rows:
        if int(scope, 16) == _GLOBAL and not int(flags, 16) & _OUT_OF_USE:
            held.append((int(flags, 16) & _FLEETING, IPv6Address(bytes.fromhex(address))))
    return [address for _, address in sorted(held, key=lambda entry: entry[0])]


def _ifconf() -> bytes:
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            needed, _ = struct.unpack("iP", fcntl.ioctl(sock, _SIOCGIFCONF, struct.pack("iP", 0, 0)))
            room = array.array("B", bytes(needed + _ROOM * _ENTRY))
            where, length = room.buffer_info()
            filled, _ = struct.unpack("iP", fcntl.ioctl(sock, _SIOCGIFCONF, struct.pack("iP", length, where)))
    except OSError:
        return b""
    return room.tobytes()[:filled]


def _if_inet6() -> str:
    try:
        return _IF_INET6.read_text(encoding="ascii")
    except OSError:  # IPv6 is off
        return ""
