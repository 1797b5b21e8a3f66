"""Events as lines: for people, changes only and aligned; for programs, one JSON object a line.

Law: pure - an event and a wall-clock time in, text out.
"""

import json
import time
from collections.abc import Callable
from typing import TypeAlias

from portmap.cli.durations import format_duration
from portmap.cli.text import harmless
from portmap.events import (
    Event,
    ExternalIPEvent,
    ExternalIPFailed,
    GatewayEvent,
    GatewayLost,
    GatewayRebooted,
    MappingAdded,
    MappingChanged,
    MappingEvent,
    MappingFailed,
    MappingLost,
    MappingRemoved,
    MappingRenewed,
    NetworkChanged,
    RecordChanged,
)
from portmap.model import Scope

JSON_VERSION = 1
_HEADS: dict[type[MappingEvent], str] = {
    MappingAdded: "mapped",
    MappingChanged: "changed",
    MappingRenewed: "renewed",
    MappingFailed: "failed",
    MappingLost: "lost",
    MappingRemoved: "removed",
}
Renderer: TypeAlias = Callable[[Event, float], str | None]

_MEANING = {
    Scope.PUBLIC: "public",
    Scope.PRIVATE: "private: another NAT is in front of this gateway",
    Scope.CGNAT: "shared by your provider (CGNAT): a mapping here cannot be reached from outside",
    Scope.RESERVED: "reserved: nobody outside can reach it",
    Scope.UNKNOWN: "not known yet",
}


def as_json_line(event: Event, at: float) -> str:
    """The event as one JSON object; `at` is unix time in seconds."""
    return json.dumps({"v": JSON_VERSION, "ts": round(at, 3), **event.to_dict()}, separators=(",", ":"))


def for_people(*, quiet: bool = False, renewals: bool = False) -> Renderer:
    """A renderer of lines for people; None for what they need not see. `quiet`: only what went wrong."""

    def render(event: Event, at: float) -> str | None:
        if (isinstance(event, MappingRenewed) and not renewals) or (quiet and not _is_trouble(event)):
            return None
        word, text = _words(event)
        return line(word, text, at) if text else None

    return render


def line(word: str, text: str, at: float) -> str:
    """One aligned line: local time, a word, the rest."""
    return f"{time.strftime('%H:%M:%S', time.localtime(at))} {word:<9}{harmless(text)}"


def _is_trouble(event: Event) -> bool:
    return isinstance(event, GatewayLost | ExternalIPFailed | MappingFailed | MappingLost)


def _words(event: Event) -> tuple[str, str]:
    """The word at the line's head, and the rest; an empty rest: not worth a line."""
    match event:
        case GatewayEvent():
            return "gateway", _gateway(event)
        case ExternalIPEvent():
            return "external", _address(event)
        case MappingEvent():
            return _HEADS[type(event)], _mapping(event)
        case NetworkChanged():
            return "network", event.reason
        case RecordChanged():
            return "record", event.enr  # without a signature it says nothing that the other lines do not
    return event.event, ""


def _gateway(event: GatewayEvent) -> str:
    match event:
        case GatewayLost():
            return f"lost: {event.reason}"
        case GatewayRebooted():
            return f"{event.gateway} may have forgotten us: {event.reason}"
    return event.gateway


def _address(event: ExternalIPEvent) -> str:
    if isinstance(event, ExternalIPFailed):
        return f"unknown: {event.reason}"
    before = f" (was {event.previous_ip})" if event.previous_ip else ""
    return f"{event.external_ip}{before}  {_MEANING[event.scope]}"


def _mapping(event: MappingEvent) -> str:
    what = f"{event.name} " if event.name else ""
    what += f"{event.internal_port}/{event.protocol.lower()}"
    if isinstance(event, MappingFailed):
        return f"{what}: {event.reason}"
    because = f"  ({event.reason})" if event.reason else ""
    lease = "" if isinstance(event, MappingLost | MappingRemoved) else f"  {_lease(event)}"
    return f"{what} at {event.external_ip or '?'}:{event.external_port}{lease}{because}"


def _lease(event: MappingEvent) -> str:
    if event.static:
        return "forwarded by hand"
    return f"lease {format_duration(event.lifetime)}" if event.lifetime else "permanent"
