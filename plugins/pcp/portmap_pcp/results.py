"""Result codes (RFC 6887 §7.4) as errors: which error it is, and what to try. Pure."""

from portmap.errors import Conflict, NoGateway, NoPublicAddress, NotAuthorized, OutOfResources, Refused
from portmap.model import Address, Scope, scope_of
from portmap_pcp.packets import Refusal

LONGEST_WAIT = 3600  # seconds; an error that is said to hold longer is asked about all the same
LONGEST_UNPROVEN_WAIT = 30  # seconds, where the refusal lacks our nonce: RFC 6887 §7.4's short lifetime
NO_RESOURCES = 8
CANNOT_PROVIDE_EXTERNAL = 11
NETWORK_FAILURE = 7
UNSUPPORTED_OPCODE = 4
UNSUPPORTED_OPTION = 5
NOT_AUTHORIZED = 2
ADDRESS_MISMATCH = 12

_MEANINGS: dict[int, tuple[type[Refused], str, str]] = {
    1: (Refused, "UNSUPP_VERSION", "it speaks another version of PCP: try another backend"),
    NOT_AUTHORIZED: (
        NotAuthorized,
        "NOT_AUTHORIZED",
        "it lets this host open no ports: allow PCP in its settings; or a mapping of an earlier session holds this one",
    ),
    3: (Refused, "MALFORMED_REQUEST", "it does not understand our request: look into its log"),
    UNSUPPORTED_OPCODE: (Refused, "UNSUPP_OPCODE", "it does not know this operation: try another backend"),
    UNSUPPORTED_OPTION: (Refused, "UNSUPP_OPTION", "it does not know an option of our request: try another backend"),
    6: (Refused, "MALFORMED_OPTION", "it does not understand an option of our request: look into its log"),
    NETWORK_FAILURE: (
        Refused,
        "NETWORK_FAILURE",
        "the gateway has no external address, or its network is down: is its uplink connected?",
    ),
    NO_RESOURCES: (
        OutOfResources,
        "NO_RESOURCES",
        "its table is full: remove mappings that are not needed, or restart it",
    ),
    9: (Refused, "UNSUPP_PROTOCOL", "it cannot map this transport protocol"),
    10: (OutOfResources, "USER_EX_QUOTA", "this host has as many mappings as it may have: remove some"),
    CANNOT_PROVIDE_EXTERNAL: (
        Conflict,
        "CANNOT_PROVIDE_EXTERNAL",
        "the external port or address is taken: ask for another one",
    ),
    ADDRESS_MISMATCH: (
        Refused,
        "ADDRESS_MISMATCH",
        "our packets reach it from another address, so an unexpected NAT is in between: double NAT; connect to it",
    ),
    13: (Refused, "EXCESSIVE_REMOTE_PEERS", "too many filters for one mapping"),
}
_UNKNOWN = (Refused, "unknown", "a code that RFC 6887 does not know: look into its log")


# miniupnpd 2.3 refuses with 8 where its own address is private or 100.64/10, and tells that address.
_MAY_BE_DOUBLE_NAT = (NETWORK_FAILURE, NO_RESOURCES)


class SpeaksNatPmp(NoGateway):
    """The server is there, and speaks only NAT-PMP, PCP's version 0."""

    def __init__(self, server: Address) -> None:
        super().__init__(f"{server} speaks NAT-PMP only, not PCP: use the backend pmp")
        self.server = server


def refused(server: Address, refusal: Refusal) -> Refused:
    """The error for a refusal by this server."""
    kind, text, advice = _MEANINGS.get(refusal.result, _UNKNOWN)
    wait = min(refusal.lifetime, LONGEST_WAIT if refusal.has_nonce else LONGEST_UNPROVEN_WAIT)
    if refusal.result in _MAY_BE_DOUBLE_NAT and scope_of(refusal.external_ip) in (Scope.PRIVATE, Scope.CGNAT):
        what = f"its own external address {refusal.external_ip} is not public, so it is behind another NAT: double NAT"
        message = f"PCP {server} refused with result {refusal.result} ({text}): {what}"
        return NoPublicAddress(
            message, code=refusal.result, text=text, retry_after=wait, external_ip=refusal.external_ip
        )
    until = f"; it will say the same for {refusal.lifetime} s" if refusal.lifetime else ""
    message = f"PCP {server} refused with result {refusal.result} ({text}): {advice}{until}"
    return kind(message, code=refusal.result, text=text, retry_after=wait)
