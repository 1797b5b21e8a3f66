"""Whether the client of an entry, as a gateway writes it, is this host.

Pure. Routers write the client zero-padded (192.168.001.005), with a prefix length, with blanks, or as the name by which
they know the host.
"""

import re
from ipaddress import AddressValueError, IPv4Address

_PADDED = re.compile(r"[0-9]{1,4}(\.[0-9]{1,4}){3}")


def parse_client(text: str) -> IPv4Address | None:
    """The address in the text; None for a name, or nothing."""
    text = text.strip().partition("/")[0].partition(":")[0].strip()
    if not _PADDED.fullmatch(text):
        return None
    try:
        return IPv4Address(".".join(str(int(part)) for part in text.split(".")))
    except AddressValueError:
        return None


def is_name_of(text: str, hostname: str) -> bool:
    """Whether the text is the host's name, with or without a domain."""
    label = text.strip().partition(".")[0].lower()
    return bool(label) and label == hostname.partition(".")[0].lower()
