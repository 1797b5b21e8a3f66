"""What a NAT-PMP result code (RFC 6886 §3.5) means to us: which error, and what to try.

Law: pure; the one place where result codes become errors.
"""

from portmap.errors import NotAuthorized, OutOfResources, Refused
from portmap_natpmp.packets import UNSUPPORTED_VERSION, error_text

NO_ADDRESS_YET = 3
NOTHING_TO_DELETE = (3, 4)  # what servers answer to the deletion of a mapping that is not there, beside 0

_MEANINGS: dict[int, tuple[type[Refused], str]] = {
    UNSUPPORTED_VERSION: (Refused, "it may be a PCP-only gateway, which does not speak NAT-PMP: try another backend"),
    2: (NotAuthorized, "switch NAT-PMP on in its settings and allow this host to open ports"),
    NO_ADDRESS_YET: (Refused, "network failure: the gateway has no external address yet; is its uplink connected?"),
    4: (OutOfResources, "its table is full: remove mappings that nobody needs, or restart it"),
    5: (Refused, "it does not know this operation: try another backend"),
}
_UNKNOWN = (Refused, "a code that RFC 6886 does not know: look into its log")


def refused(gateway: str, result: int) -> Refused:
    """The error for a result code other than 0; `gateway` is how people know it."""
    kind, advice = _MEANINGS.get(result, _UNKNOWN)
    text = error_text(result)
    return kind(f"{gateway} refused with result {result} ({text}): {advice}", code=result, text=text)
