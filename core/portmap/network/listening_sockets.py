"""The sockets that listen on this host, and the connections to them, as Linux tells it in /proc/net.

Reading only. The program behind a socket is told only where this user may see it.
"""

import struct
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from portmap.model import Address, Protocol

_PROC = Path("/proc")
_TABLES = {"tcp": Protocol.TCP, "tcp6": Protocol.TCP, "udp": Protocol.UDP, "udp6": Protocol.UDP}
_WAITING = {Protocol.TCP: "0A", Protocol.UDP: "07"}  # TCP_LISTEN, and TCP_CLOSE for unconnected UDP: net/tcp_states.h
_MOST_PROCESSES = 20_000


@dataclass(frozen=True, slots=True)
class ListeningSocket:
    """A local socket that takes what arrives at `address`. `program`: "NAME (PID)", or "" where it cannot be read."""

    protocol: Protocol
    address: Address
    port: int
    program: str = ""


def listening(ports: Iterable[int], proc: Path = _PROC) -> tuple[ListeningSocket, ...] | None:
    """The sockets that listen on these ports, each once; None where the system does not tell.

    The kernel lists a socket twice if its table changes meanwhile, and a program may share one port among several.
    """
    wanted = set(ports)
    found: list[tuple[ListeningSocket, str]] = []
    for name, protocol in _TABLES.items():
        try:
            table = (proc / "net" / name).read_text(encoding="ascii", errors="replace")
        except OSError:
            if name == "tcp":
                return None
            continue
        found += [(it, inode) for it, inode in parse_table(table, protocol) if it.port in wanted]
    owners = _owners({inode for _, inode in found}, proc)
    told = (ListeningSocket(it.protocol, it.address, it.port, owners.get(inode, "")) for it, inode in found)
    return tuple(dict.fromkeys(told))


def parse_table(table: str, protocol: Protocol) -> Iterator[tuple[ListeningSocket, str]]:
    """The waiting sockets of a `/proc/net/tcp` text and their inodes; pure. Lines that are none are skipped."""
    for line in table.splitlines()[1:]:
        fields = line.split()
        with suppress(ValueError, IndexError, struct.error):
            if fields[3] == _WAITING[protocol]:
                address, port = fields[1].split(":")
                yield ListeningSocket(protocol, _address(bytes.fromhex(address)), int(port, 16)), fields[9]


@dataclass(frozen=True, slots=True)
class Connection:
    """One TCP connection to a port of this host, by its far end."""

    peer: Address
    peer_port: int
    inode: str


def connections_to(port: int, proc: Path = _PROC) -> frozenset[Connection] | None:
    """The TCP connections to a local port, those that are closing too; None where the system does not tell."""
    found: set[Connection] = set()
    for name in ("tcp", "tcp6"):
        try:
            table = (proc / "net" / name).read_text(encoding="ascii", errors="replace")
        except OSError:
            if name == "tcp":
                return None
            continue
        found |= set(parse_connections(table, port))
    return frozenset(found)


def parse_connections(table: str, port: int) -> Iterator[Connection]:
    """The connections to `port` in a `/proc/net/tcp` text; pure. Lines that are none are skipped."""
    for line in table.splitlines()[1:]:
        fields = line.split()
        with suppress(ValueError, IndexError, struct.error):
            local, peer = fields[1].split(":"), fields[2].split(":")
            if fields[3] != _WAITING[Protocol.TCP] and int(local[1], 16) == port:
                yield Connection(_address(bytes.fromhex(peer[0])), int(peer[1], 16), fields[9])


def _address(words: bytes) -> Address:
    """The kernel prints addresses as numbers of 32 bits in the machine's own byte order."""
    order = "<" if sys.byteorder == "little" else ">"
    numbers = struct.unpack(f"{order}{len(words) // 4}I", words)
    packed = struct.pack(f">{len(numbers)}I", *numbers)
    if len(packed) == 4:
        return IPv4Address(packed)
    address = IPv6Address(packed)
    return address.ipv4_mapped or address


def _owners(inodes: set[str], proc: Path) -> dict[str, str]:
    """Inode -> "program (pid)", for those that we may see."""
    links = {f"socket:[{inode}]": inode for inode in inodes}
    found: dict[str, str] = {}
    for process in _processes(proc) if links else ():
        for link in _descriptors(process):
            if link in links:
                found[links[link]] = f"{_name(process)} ({process.name})"
        if len(found) == len(links):
            break
    return found


def _processes(proc: Path) -> list[Path]:
    with suppress(OSError):
        return [entry for entry in proc.iterdir() if entry.name.isdigit()][:_MOST_PROCESSES]
    return []


def _descriptors(process: Path) -> Iterator[str]:
    with suppress(OSError):  # another user's, or gone meanwhile
        for descriptor in (process / "fd").iterdir():
            with suppress(OSError):
                yield str(descriptor.readlink())


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text(errors="replace").strip()
    except OSError:
        return "?"
