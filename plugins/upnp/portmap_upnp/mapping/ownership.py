"""The description that an entry of ours carries, `portmap:ID:NAME`, and which entries are ours by it.

Law: nobody else's entry is ever taken for ours. What leads to this host's present address can only be this host's. What
leads to another address is ours only if it says ID and NAME of ours, has our internal port, and nobody lives at that
address (`neighbour`): the gateway gave us another address, and the entry was left behind.

ID is 6 hexadecimal digits of HMAC-SHA-256 with the machine's own id as the key, as machine-id(5) wants it: it stays the
same for ever on this host, differs between hosts, and tells nobody the machine id. The host's name is mixed in, for
clones of one machine share the rest.
"""

import hashlib
import hmac
import re
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

from portmap_upnp.control.wan_connection import DESCRIPTION_LENGTH

PREFIX = "portmap:"
ID_LENGTH = 6
MACHINE_IDS = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))  # machine-id(5)


def host_id(files: Sequence[Path] = MACHINE_IDS, hostname: Callable[[], str] = socket.gethostname) -> str:
    """The id of this host in our marks. Where the system has no machine id, its name has to do."""
    message = b"portmap upnp entry\0" + hostname().encode()
    return hmac.new(_machine_id(files), message, hashlib.sha256).hexdigest()[:ID_LENGTH]


def entry_description(name: str, internal_port: int, host: str) -> str:
    """The entry's description: our mark, then the user's word in characters that need no escaping."""
    word = re.sub(r"[^A-Za-z0-9 _.:-]", "-", name).strip() or str(internal_port)
    return f"{PREFIX}{host}:{word}"[:DESCRIPTION_LENGTH].strip()


def made_by_host(description: str, host: str) -> bool:
    """Whether an entry was made by us on this host, wherever it leads."""
    return description.startswith(f"{PREFIX}{host}:")


def made_by_us(description: str) -> bool:
    """Whether an entry that leads to this host was made by us, in this life or an earlier one, or nobody says."""
    return description.startswith(PREFIX) or not description


def _machine_id(files: Sequence[Path]) -> bytes:
    for path in files:
        try:
            if text := path.read_bytes().strip():
                return text
        except OSError:
            continue
    return b"none"
