"""Checks what a backend answered or raised: a plugin's value in, a checked one out. Pure.

`who` names the backend in what is raised: PluginError for a value of the wrong type, which is the plugin author's
fault, Garbled for one that makes no sense, which is the gateway's.
"""

from ipaddress import IPv4Address, IPv6Address
from typing import Any

from portmap.errors import Garbled, NATError, PluginError, Refused
from portmap.loading.time_limit import class_name
from portmap.model import MAX_LIFETIME, MAX_PORT, Address, Grant, Listed, Protocol
from portmap.printable import printable

LONGEST = 1024  # letters of a token, a hint or a fact: they are kept in the journal, and shown
MOST = 64  # facts
MOST_LISTED = 10_000  # rows; the largest tables seen have some hundred


def checked_address(answer: object, who: str) -> Address:
    """A usable address."""
    if not isinstance(answer, IPv4Address | IPv6Address):
        raise PluginError(f"{who} answered {answer!r} where an address was due")
    if answer.is_unspecified:
        raise Garbled(f"{who} says that its external address is {answer}: it has none yet")
    return answer


def checked_grant(answer: object, who: str) -> Grant:
    """A grant whose port and lifetime can be."""
    if not isinstance(answer, Grant) or not _is_well_typed(answer):
        raise PluginError(f"{who} answered {answer!r} where a Grant was due")
    if not 1 <= answer.external_port <= MAX_PORT:
        raise Garbled(f"{who} granted port {answer.external_port}, which is not a valid port")
    if not 0 <= answer.lifetime <= MAX_LIFETIME:
        raise Garbled(f"{who} granted a lifetime of {answer.lifetime} s, which is not valid")
    return answer


def checked_error(error: NATError | PluginError, who: str) -> NATError | PluginError:
    """The error itself, if its text and fields can be read, else a PluginError."""
    try:
        str(error)
    except BaseException as fault:  # noqa: BLE001  # a plugin's __str__ may raise anything
        return PluginError(f"{who} raised {class_name(error)}, whose text cannot be read: {class_name(fault)}")
    if isinstance(error, Refused) and not _has_usable_fields(error):
        return PluginError(f"{who} raised {class_name(error)} with fields that cannot be: {error}")
    return error


def checked_hint(answer: object, who: str) -> str:
    """A hint; empty where there is none."""
    if answer is None:
        return ""
    if not isinstance(answer, str) or len(answer) > LONGEST:
        raise PluginError(f"{who} answered {_shown(answer)} where a hint of up to {LONGEST} letters was due")
    return answer


def checked_facts(answer: object, who: str) -> tuple[str, ...]:
    """Facts for people; none where there are none."""
    if answer is None:
        return ()
    if not isinstance(answer, tuple) or not all(isinstance(fact, str) for fact in answer):
        raise PluginError(f"{who} answered {_shown(answer)} where a tuple of texts was due")
    return tuple(printable(fact[:LONGEST]) for fact in answer[:MOST])


def checked_list(answer: object, who: str) -> tuple[Listed, ...] | None:
    """The gateway's table; None where the backend cannot tell."""
    if answer is None:
        return None
    if not isinstance(answer, tuple) or not all(isinstance(row, Listed) for row in answer):
        raise PluginError(f"{who} answered {_shown(answer)} where a tuple of Listed was due")
    for row in answer:
        if not _is_well_typed_row(row):
            raise PluginError(f"{who} answered with {_shown(row)}, of which a field is of the wrong type")
    return answer[:MOST_LISTED]


def checked_port(answer: object, who: str) -> int:
    """A port of this host."""
    if not isinstance(answer, int) or isinstance(answer, bool) or not 1 <= answer <= MAX_PORT:
        raise PluginError(f"{who} answered {_shown(answer)} where a port was due")
    return answer


def checked_presence(answer: object, who: str) -> bool | None:
    """Whether a mapping is there; None where the backend cannot tell."""
    if answer is not None and not isinstance(answer, bool):
        raise PluginError(f"{who} answered {_shown(answer)} where True, False or None was due")
    return answer


def _has_usable_fields(error: Any) -> bool:
    """Whether a plugin's Refused holds what its annotations say; one that did not call ours at first has no fields."""
    try:
        code, text, wait = error.code, error.text, error.retry_after
    except Exception:  # noqa: BLE001  # a property of the plugin's may raise anything
        return False
    return isinstance(code, int) and isinstance(text, str) and isinstance(wait, int | float) and wait >= 0


def _is_well_typed(grant: Any) -> bool:
    """Whether a plugin's Grant holds what its annotations say; nothing checked that when it was made."""
    return (
        isinstance(grant.external_port, int)
        and isinstance(grant.lifetime, int)
        and isinstance(grant.external_ip, IPv4Address | IPv6Address | None)
        and isinstance(grant.token, str)
        and len(grant.token) <= LONGEST
        and isinstance(grant.static, bool)
        and isinstance(grant.note, str)
    )


def _is_well_typed_row(row: Any) -> bool:
    """The same of a Listed."""
    numbers = (row.external_port, row.internal_port, row.lifetime)
    return (
        isinstance(row.protocol, Protocol)
        and all(isinstance(number, int) for number in numbers)
        and isinstance(row.client, str)
        and isinstance(row.description, str)
        and isinstance(row.ours, bool)
    )


def _shown(answer: object) -> str:
    return repr(answer)[:80]
