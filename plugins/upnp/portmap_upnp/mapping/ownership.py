"""OwnershipRule: whose an entry is, by where it leads and by the description that entries of ours carry.

The description is `portmap:ID:NAME`. ID is 6 hexadecimal digits of HMAC-SHA-256 with the machine's own id as the key,
as machine-id(5) wants it: it stays the same on this host, differs between hosts, and does not reveal the machine id.
The host's name is mixed in, since clones of one machine share the rest.

Rules:
- an entry of another host is never taken for ours;
- an entry that leads to this host's present address and port is this host's: ours by its description, or because it
  has none, or because we hold it; else another program's;
- an entry that is to lead to another host, and does, is ours by our ID only, or because we hold it: any other may have
  been made by that host;
- an entry that leads to another address is ours only if it has our ID and NAME and our internal port, and no host is
  present at that address: the gateway gave us another address, and the entry was left behind;
- presence is asked with one TCP connection attempt, to a private address in a network of our own interfaces only, and
  of MAX_ADDRESSES addresses at the most: a gateway writes what it likes into its table, and must not make us knock at
  one host after another. A host that cannot be asked counts as present, so an entry is rather left alone.
"""

import errno
import hashlib
import hmac
import logging
import re
import socket
from collections.abc import Callable, Sequence
from enum import Enum
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path
from typing import TypeAlias

from portmap.model import Scope, scope_of
from portmap.network import routes
from portmap.network.interface import use_interface
from portmap_upnp.control.wan_connection import DESCRIPTION_LENGTH, PortMappingEntry
from portmap_upnp.mapping.internal_client import is_name_of, parse_client
from portmap_upnp.mapping.port_forward import PortForward

Answers: TypeAlias = Callable[[IPv4Address, int], bool]

PREFIX = "portmap:"
ID_LENGTH = 6
MACHINE_IDS = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))  # machine-id(5)
TIMEOUT = 0.5  # seconds; a neighbour answers within milliseconds, or refuses
MAX_ADDRESSES = 4  # that one gateway may have us ask; this host has had few others
_ARP = Path("/proc/net/arp")  # Linux; elsewhere there is no such file
_COMPLETE = 0x2  # ATF_COM: linux/if_arp.h
_ABSENT = (errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENETUNREACH)
_log = logging.getLogger("portmap.upnp")


def host_id(files: Sequence[Path] = MACHINE_IDS, hostname: Callable[[], str] = socket.gethostname) -> str:
    """The id of this host in our descriptions, from its name alone where the system has no machine id."""
    message = b"portmap upnp entry\0" + hostname().encode()
    return hmac.new(_machine_id(files), message, hashlib.sha256).hexdigest()[:ID_LENGTH]


class Owner(Enum):
    """Whose the entry for an external port is, from our side."""

    NONE = "no entry"
    US = "made by portmap, and leads here"
    LEFT_BEHIND = "this very mapping, made by this host when it had another address"
    OTHER_PROGRAM = "made by another program, and leads to this very host and port"
    OTHER_HOST = "leads elsewhere"


class OwnershipRule:
    """Decides whose an entry is. `host` is the ID in our descriptions, `hostname` the name of this host."""

    def __init__(
        self,
        host: str | None = None,
        is_present: "Callable[[str, int], bool] | None" = None,
        hostname: Callable[[], str] = socket.gethostname,
    ) -> None:
        self.host = host or host_id()
        self._is_present = PresenceProbe(is_present or is_host_present)
        self._hostname = hostname

    def owner_of(
        self, forward: PortForward, description: str, entry: PortMappingEntry | None, held: PortForward | None
    ) -> Owner:
        """Whose the entry for the external port is; `description` is what we would write, `held` what we hold."""
        if entry is None:
            return Owner.NONE
        if self.leads_here(forward, entry):
            if held == forward or self._is_made_by_us(forward, entry):
                return Owner.US
            return Owner.OTHER_PROGRAM if entry.enabled else Owner.OTHER_HOST
        is_this_mapping = (entry.description, entry.port) == (description, forward.internal_port)
        if is_this_mapping and (self._was_ours(forward, entry, held) or not self._is_present(entry.client, entry.port)):
            return Owner.LEFT_BEHIND
        return Owner.OTHER_HOST

    def may_delete(self, forward: PortForward, entry: PortMappingEntry | None, held: PortForward | None) -> bool:
        """Whether the entry was made by portmap on this host, for this forward."""
        if entry is None:
            return False
        leads_here = self.leads_here(forward, entry) and (held == forward or self._is_made_by_us(forward, entry))
        return leads_here or self._was_ours(forward, entry, held)

    def leads_here(self, forward: PortForward, entry: PortMappingEntry) -> bool:
        """Whether the entry leads to the forward's host and port, also where the router writes a name for the host."""
        if forward.is_in(entry):
            return True
        is_named = parse_client(entry.client) is None and entry.port == forward.internal_port
        is_our_name = forward.to_us and is_name_of(entry.client, self._hostname())
        return is_named and (is_our_name or made_by_host(entry.description, self.host))

    def _is_made_by_us(self, forward: PortForward, entry: PortMappingEntry) -> bool:
        """Whether portmap made an entry that does what the forward says."""
        return made_by_us(entry.description) if forward.to_us else made_by_host(entry.description, self.host)

    def _was_ours(self, forward: PortForward, entry: PortMappingEntry, held: PortForward | None) -> bool:
        """Whether the entry leads to an address that was ours, or the other host's, when we made it."""
        if held is None or (held.internal_port, held.to_us) != (forward.internal_port, forward.to_us):
            return False
        return held.is_in(entry) and made_by_host(entry.description, self.host)


def entry_description(name: str, internal_port: int, host: str) -> str:
    """The entry's description: our prefix and ID, then the user's name in characters that need no escaping."""
    word = re.sub(r"[^A-Za-z0-9 _.:-]", "-", name).strip() or str(internal_port)
    return f"{PREFIX}{host}:{word}"[:DESCRIPTION_LENGTH].strip()


def made_by_host(description: str, host: str) -> bool:
    """Whether an entry was made by portmap on this host, wherever it leads."""
    return description.startswith(f"{PREFIX}{host}:")


def made_by_us(description: str) -> bool:
    """Whether an entry that leads to this host was made by portmap, now or earlier, or says nothing about its maker."""
    return description.startswith(PREFIX) or not description


class PresenceProbe:
    """Asks whether hosts are present, of MAX_ADDRESSES addresses at the most; any other counts as present."""

    def __init__(self, is_present: Callable[[str, int], bool]) -> None:
        self._is_present = is_present
        self._asked: set[str] = set()

    def __call__(self, client: str, port: int) -> bool:
        """Whether a host is, or may be, present at the address that a gateway lists."""
        if client not in self._asked:
            if len(self._asked) >= MAX_ADDRESSES:
                _log.info("%s is not asked whether it is there: the gateway has named many hosts as ours", client)
                return True
            self._asked.add(client)
        return self._is_present(client, port)


def is_host_present(
    client: str,
    port: int,
    *,
    answers: Answers | None = None,
    arp: Path = _ARP,
    interface: str | None = None,
    is_on_link: Callable[[IPv4Address], bool] | None = None,
) -> bool:
    """Whether a host answers at this address, if only to refuse; `client` is what a gateway lists, any text.

    `interface`: the one of this host that leads to it; None: the routing table decides.
    """
    address = parse_client(client)
    if address is None:
        return True
    is_on_link = is_on_link or partial(routes.is_on_link, interface=interface)
    if scope_of(address) is not Scope.PRIVATE or not is_on_link(address):
        return True
    answers = answers or partial(answers_tcp, interface=interface)
    alive = answers(address, port) or _has_answered_arp(address, arp, interface)
    _log.debug("%s is %s", address, "present" if alive else "absent")
    return alive


def answers_tcp(address: IPv4Address, port: int, timeout: float = TIMEOUT, interface: str | None = None) -> bool:
    """Whether a connection is accepted or refused, or cannot be tried, within `timeout` seconds."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.settimeout(timeout)
            use_interface(probe, interface)
            probe.connect((str(address), port))
    except TimeoutError:
        return False
    except OSError as error:
        return error.errno not in _ABSENT
    return True


def _has_answered_arp(address: IPv4Address, arp: Path, interface: str | None) -> bool:
    """A firewall may swallow the attempt, but the neighbour's ARP answer gives it away."""
    try:
        table = arp.read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    rows = (line.split() for line in table.splitlines()[1:])
    return any(_lists(row, str(address)) for row in rows if interface in (None, *row[5:6]))


def _lists(fields: list[str], address: str) -> bool:
    return len(fields) > 2 and fields[0] == address and int(fields[2], 16) & _COMPLETE != 0


def _machine_id(files: Sequence[Path]) -> bytes:
    for path in files:
        try:
            if text := path.read_bytes().strip():
                return text
        except OSError:
            continue
    return b"none"
