"""A text without what tells strangers who and where we are.

Law: pure. What helps to find the fault stays: private addresses, ports, makers' names. Of public addresses the
network stays, as in 203.0.x.x; interface and host names, hardware addresses and others' words do not.
"""

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from portmap.doctor.findings import BackendAnswer, Findings
from portmap.model import Scope, scope_of

_MAC = re.compile(r"\b[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}\b")
_UUID = re.compile(r"\b[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\b")
_IPV4 = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?!\.?\d)")
_IPV6 = re.compile(r"(?<![\w:.])(?=[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:)[0-9A-Fa-f:.]{2,45}(?:%\w+)?")
HIDDEN = "(hidden)"
_SHORTEST_NAME = 3  # letters; a shorter host name hides nothing and would tear words apart


def redact(text: str, names: Iterable[str] = ()) -> str:
    """The text, with `names` hidden too."""
    for pattern, instead in ((_UUID, HIDDEN), (_MAC, "xx:xx:xx:xx:xx:xx")):
        text = pattern.sub(instead, text)
    text = _IPV4.sub(lambda found: _short_4(found[0]), text)
    text = _IPV6.sub(lambda found: _short_6(found[0]), text)
    for name in sorted({name for name in names if len(name) >= _SHORTEST_NAME}, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", HIDDEN, text, flags=re.IGNORECASE)
    return text


def redacted_findings(findings: Findings) -> Findings:
    """The findings without what others have called their mappings."""
    return replace(findings, answers=tuple(map(_discreet, findings.answers)))


def _discreet(answer: BackendAnswer) -> BackendAnswer:
    if answer.table is None:
        return answer
    return replace(answer, table=tuple(row if row.ours else replace(row, description=HIDDEN) for row in answer.table))


def _short_4(text: str) -> str:
    try:
        address = IPv4Address(text)
    except AddressValueError:
        return text
    if scope_of(address) not in (Scope.PUBLIC, Scope.CGNAT):
        return text
    first, second = text.split(".")[:2]
    return f"{first}.{second}.x.x"


def _short_6(text: str) -> str:
    """Of a global address the provider's part, 32 bits, and of others what they all have."""
    with suppress(AddressValueError):
        address = IPv6Address(text.partition("%")[0])
        if address.is_loopback or address.is_unspecified:
            return text
        groups = address.exploded.split(":")
        keep = 2 if scope_of(address) is Scope.PUBLIC else 1
        return ":".join(group.lstrip("0") or "0" for group in groups[:keep]) + ":x"
    return text
