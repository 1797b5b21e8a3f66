"""Whether somebody lives at an address of the LAN.

Law: one attempt to connect, to a private address only, nothing is sent through it. Who cannot be asked counts as alive:
we err on the side of leaving an entry alone.
"""

import errno
import logging
import socket
from collections.abc import Callable
from ipaddress import AddressValueError, IPv4Address
from pathlib import Path
from typing import TypeAlias

from portmap.model import Scope, scope_of

Answers: TypeAlias = Callable[[IPv4Address, int], bool]

PATIENCE = 0.5  # seconds; a neighbour answers within milliseconds, or refuses
_ARP = Path("/proc/net/arp")  # Linux; elsewhere there is no such file
_COMPLETE = 0x2  # ATF_COM: linux/if_arp.h
_NOBODY = (errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENETUNREACH)
_log = logging.getLogger("portmap.upnp")


def lives_at(client: str, port: int, *, answers: Answers | None = None, arp: Path = _ARP) -> bool:
    """Whether a host answers at this address, be it to refuse; `client` is what a gateway lists, any text."""
    try:
        address = IPv4Address(client)
    except AddressValueError:
        return True
    if scope_of(address) is not Scope.PRIVATE:
        return True
    alive = (answers or answers_tcp)(address, port) or _has_answered_arp(address, arp)
    _log.debug("%s %s", address, "is somebody's" if alive else "is nobody's")
    return alive


def answers_tcp(address: IPv4Address, port: int, patience: float = PATIENCE) -> bool:
    """Whether a connection is accepted or refused, or cannot be tried, within `patience` seconds."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.settimeout(patience)
            probe.connect((str(address), port))
    except TimeoutError:
        return False
    except OSError as error:
        return error.errno not in _NOBODY
    return True


def _has_answered_arp(address: IPv4Address, arp: Path) -> bool:
    """A firewall may swallow the attempt, but the neighbour's ARP answer gives it away."""
    try:
        table = arp.read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return any(_lists(line.split(), str(address)) for line in table.splitlines()[1:])


def _lists(fields: list[str], address: str) -> bool:
    return len(fields) > 2 and fields[0] == address and int(fields[2], 16) & _COMPLETE != 0
