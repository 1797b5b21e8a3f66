"""Result codes (RFC 6886 §3.5) as errors: which error it is, and what to try. Pure.

A code means another thing for each request, so each request has a table of its own.
"""

from ipaddress import IPv4Address
from typing import TypeVar

from portmap.errors import NoPublicAddress, NotAuthorized, OutOfResources, Refused
from portmap_natpmp.packets import (
    UNSUPPORTED_VERSION,
    AddressAnswer,
    AddressRequest,
    Answer,
    MappingRequest,
    Refusal,
    Request,
    error_text,
)

AnswerT = TypeVar("AnswerT", bound=Answer)

NETWORK_FAILURE = 3
OUT_OF_RESOURCES = 4
NOTHING_TO_DELETE = (3, 4)  # what servers answer to the deletion of a mapping that is not there, beside 0

_Meanings = dict[int, tuple[type[Refused], str]]

# miniupnpd 2.3 answers 3 where its own address is private or 100.64/10, as it does where it has none.
_NO_ADDRESS = (
    "it has no public address: another router or the provider's NAT is in front of it (double NAT), "
    "or its uplink is down"
)
_ANY_REQUEST: _Meanings = {
    UNSUPPORTED_VERSION: (Refused, "it may be a PCP-only gateway, which does not speak NAT-PMP: try another backend"),
    2: (NotAuthorized, "switch NAT-PMP on in its settings and allow this host to open ports"),
    5: (Refused, "it does not know this operation: try another backend"),
}
_ADDRESS: _Meanings = {NETWORK_FAILURE: (NoPublicAddress, _NO_ADDRESS)}
_OPENING: _Meanings = {
    NETWORK_FAILURE: (NoPublicAddress, _NO_ADDRESS),
    OUT_OF_RESOURCES: (
        OutOfResources,
        "its table is full, or the port is taken or forbidden: ask for another port, or remove mappings",
    ),
}
_DELETING: _Meanings = dict.fromkeys(NOTHING_TO_DELETE, (Refused, "it has no such mapping to delete"))
_UNKNOWN = (Refused, "a code that RFC 6886 does not know: look into its log")


def refused(gateway: str, result: int, request: Request) -> Refused:
    """The error for a result code other than 0 that answers the request; `gateway` is its name for people."""
    kind, advice = (_meanings_for(request) | _ANY_REQUEST).get(result, _UNKNOWN)
    text = error_text(result)
    return kind(f"{gateway} refused with result {result} ({text}): {advice}", code=result, text=text)


def good(gateway: IPv4Address, request: Request, answer: AnswerT | Refusal) -> AnswerT:
    """The answer, if it does not say no. Raises Refused."""
    if isinstance(answer, Refusal):
        raise refused(f"NAT-PMP {gateway}", answer.result, request)
    return answer


def real_address(gateway: IPv4Address, answer: AddressAnswer) -> IPv4Address:
    """The external address. Raises Refused for 0.0.0.0: some gateways state it where they should refuse."""
    if answer.external_ip.is_unspecified:
        what = f"NAT-PMP {gateway} has no external address yet (it states 0.0.0.0): is its uplink connected?"
        raise Refused(what, code=NETWORK_FAILURE, text=error_text(NETWORK_FAILURE))
    return answer.external_ip


def stated_address(answer: AddressAnswer | Refusal) -> IPv4Address | None:
    """The external address in an answer; None where it says no."""
    return answer.external_ip if isinstance(answer, AddressAnswer) else None


def _meanings_for(request: Request) -> _Meanings:
    match request:
        case AddressRequest():
            return _ADDRESS
        case MappingRequest(lifetime=0):
            return _DELETING
        case MappingRequest():
            return _OPENING
