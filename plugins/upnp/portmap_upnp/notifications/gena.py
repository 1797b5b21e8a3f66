"""GENA messages (UPnP Device Architecture 1.1 §4), and which change of values concerns us.

Pure. An event is a reason to ask the gateway; nothing in it is taken for the truth.
"""

import re
from ipaddress import AddressValueError, IPv4Address
from typing import NamedTuple, TypeAlias

from portmap.errors import Garbled
from portmap_upnp.xml_tree import parse

ASKED = 1800  # seconds: UDA 1.1 §4.1.2 wants at least that offered
_LEAST, _MOST = 60, 86400  # seconds that we believe a subscription to last
_MAX_SID = 128
_SHOWN = 40

ADDRESS = "ExternalIPAddress"
HEAD_END = re.compile(rb"\r?\n\r?\n")
"""What ends the head of an event's request: RFC 9112 §2.2 lets a recipient take a bare line feed for a line's end."""
NAMES = {ADDRESS: "external address", "ConnectionStatus": "line"}
"""The variables that concern us, with a word for each. No other name of an event is kept."""

Values: TypeAlias = dict[str, str]


class Subscription(NamedTuple):
    """What the gateway granted: `sid` names it, `lifetime` in seconds."""

    sid: str
    lifetime: int


def subscribe_headers(callback: str) -> dict[str, str]:
    """The headers of a first SUBSCRIBE: send the events to this URL."""
    return {"CALLBACK": f"<{callback}>", "NT": "upnp:event", "TIMEOUT": f"Second-{ASKED}"}


def renewal_headers(sid: str) -> dict[str, str]:
    """The headers of a SUBSCRIBE that extends a subscription (UDA 1.1 §4.1.3)."""
    return {"SID": sid, "TIMEOUT": f"Second-{ASKED}"}


def parse_subscription(sid: str, timeout: str) -> Subscription:
    """From the headers SID and TIMEOUT of a 200. Raises Garbled for a SID that cannot be."""
    if not sid or len(sid) > _MAX_SID or not (sid.isascii() and sid.isprintable()):
        raise Garbled(f"the gateway gave the invalid subscription id {sid[:_SHOWN]!r}")
    digits = timeout.strip().lower().removeprefix("second-")
    known = re.fullmatch(r"[0-9]{1,9}", digits)
    return Subscription(sid, max(_LEAST, min(int(digits) if known else ASKED, _MOST)))


def parse_event(request: bytes, path: str, sid: str) -> Values:
    """The values of a NOTIFY request to our `path`, for our subscription. Raises Garbled for anything else."""
    head, body = (*HEAD_END.split(request, 1), b"")[:2]
    first, _, lines = head.partition(b"\n")
    fields = (line.partition(b":") for line in lines.split(b"\n"))  # no pattern: one that backtracks costs 0.3 s
    headers = {name.strip().lower(): value.strip() for name, _, value in fields}
    if first.split()[:2] != [b"NOTIFY", path.encode()]:
        raise Garbled(f"not an event: {first[:_SHOWN]!r}")
    if headers.get(b"sid") != sid.encode():
        raise Garbled(f"an event for a subscription that is not ours: {headers.get(b'sid', b'')[:_SHOWN]!r}")
    leaves = (leaf for leaf in parse(body).walk() if not leaf.children)
    return {leaf.name: leaf.text.strip()[:_SHOWN] for leaf in leaves if leaf.name in NAMES}


def describe_change(before: Values, after: Values) -> str:
    """What changed, in words; "" for nothing that concerns port mappings, or if it is the first that we hear."""
    return "; ".join(
        f"{words} announced: {_plain(before[name])} → {_plain(after[name])}"
        for name, words in NAMES.items()
        if name in before and name in after and before[name] != after[name]
    )


def is_address(value: str) -> bool:
    """Whether the value of `ADDRESS` is an address that a gateway can have outside."""
    try:
        return not IPv4Address(value).is_unspecified
    except AddressValueError:
        return False


def _plain(value: str) -> str:
    return "".join(letter for letter in value[:_SHOWN] if letter.isprintable()) or "nothing"
