"""UPnP error codes as portmap's errors.

Pure. The codes are those of WANIPConnection:1 §2.4 and :2 §2.5 and of UPnP Device Architecture 1.1 §3.1.3; any other
code is a plain Refused that keeps it. Words beside the number, or in its place, are understood.
"""

import re

from portmap.errors import Conflict, NotAuthorized, OnlyPermanentLeases, OutOfResources, Refused

INVALID_ACTION = 401
INVALID_ARGS = 402
ACTION_FAILED = 501
OPTIONAL_ACTION = 602
NOT_AUTHORIZED = 606
INVALID_INDEX = 713
NO_SUCH_ENTRY = 714
WILDCARD_NOT_IN_EXTERNAL_PORT = 716
CONFLICT = 718
SAME_PORTS_REQUIRED = 724
ONLY_PERMANENT_LEASES = 725
NO_PORT_MAPS_AVAILABLE = 728
CONFLICT_WITH_OTHER_MECHANISMS = 729

_MEANING = {
    INVALID_ACTION: "it does not know this action",
    INVALID_ARGS: "it does not accept these values; its table may be full, or the lease not to its liking",
    ACTION_FAILED: "it failed; UPnP port mapping may be switched off in its settings",
    OPTIONAL_ACTION: "it does not offer this action",
    NOT_AUTHORIZED: "it forbids this host to map ports; allow it in its settings",
    INVALID_INDEX: "it has no such entry",
    NO_SUCH_ENTRY: "it has no such entry",
    715: "it wants a remote host instead of anybody",
    WILDCARD_NOT_IN_EXTERNAL_PORT: "it does not accept this external port",
    CONFLICT: "the external port is taken by another host",
    SAME_PORTS_REQUIRED: "it maps a port only to the same port inside",
    ONLY_PERMANENT_LEASES: "it knows no lifetimes, only permanent mappings",
    726: "it maps ports only for any remote host",
    727: "it maps only all ports at once",
    NO_PORT_MAPS_AVAILABLE: "its table is full; delete mappings in its settings or restart it",
    CONFLICT_WITH_OTHER_MECHANISMS: "the external port is taken by a rule of its own",
    732: "it does not accept this internal port",
}

_TYPE: dict[int, type[Refused]] = {
    NOT_AUTHORIZED: NotAuthorized,
    CONFLICT: Conflict,
    ONLY_PERMANENT_LEASES: OnlyPermanentLeases,
    NO_PORT_MAPS_AVAILABLE: OutOfResources,
    CONFLICT_WITH_OTHER_MECHANISMS: Conflict,
}


CODES = {
    "Invalid Action": 401,
    "Invalid Args": 402,
    "Action Failed": 501,
    "Action not authorized": 606,
    "SpecifiedArrayIndexInvalid": 713,
    "NoSuchEntryInArray": 714,
    "WildCardNotPermittedInSrcIP": 715,
    "WildCardNotPermittedInExtPort": 716,
    "ConflictInMappingEntry": 718,
    "SamePortValuesRequired": 724,
    "OnlyPermanentLeasesSupported": 725,
    "RemoteHostOnlySupportsWildcard": 726,
    "ExternalPortOnlySupportsWildcard": 727,
    "NoPortMapsAvailable": 728,
    "ConflictWithOtherMechanisms": 729,
    "WildCardNotPermittedInIntPort": 732,
}
"""The codes by the words of the standards, which are miniupnpc's own names for them, too (its upnperrors.c)."""
_NUMBER = re.compile(r"-?[0-9]{1,6}(?![0-9])", re.ASCII)


def code_in(text: str, description: str) -> int:
    """The code in the text of an errorCode: its number, or what its words or the description's mean; 0 for none."""
    if number := _NUMBER.match(text):
        return int(number[0])
    return next((CODES[words] for words in (text, description) if words in CODES), 0)


def error_for_code(action: str, code: int, text: str) -> Refused:
    """The error for a gateway that answered `action` with `code` and its own words `text`."""
    words = "".join(letter for letter in text.strip()[:80] if letter.isprintable())
    meaning = _MEANING.get(code, "it does not say why")
    message = f"the gateway refused {action}: {meaning} (UPnP {code}{' ' if words else ''}{words})"
    return _TYPE.get(code, Refused)(message, code=code, text=words)
