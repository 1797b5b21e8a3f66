"""Events as lines: for people, changes only and aligned; for programs, one JSON object per line. Pure.

Where there are several instances, each line has its instance's name.
"""

import re
from collections.abc import Callable
from typing import TypeAlias

from portmap.cli.output.json_and_tables import json_line
from portmap.cli.output.port_runs import PortRun, Shown
from portmap.cli.output.ports import span
from portmap.cli.output.style import PLAIN, Style, format_line
from portmap.events import (
    Event,
    ExternalIPEvent,
    ExternalIPFailed,
    GatewayEvent,
    GatewayFound,
    GatewayLost,
    GatewayRebooted,
    MappingReachable,
    MappingUnreachable,
    NetworkChanged,
    PortAdded,
    PortChanged,
    PortEvent,
    PortFailed,
    PortLost,
    PortRemoved,
    PortRenewed,
    ProofEvent,
    PublisherEvent,
    PublisherFailed,
    PublisherOk,
    RecordChanged,
)
from portmap.model import Address, Key, at_host, meaning_of
from portmap.syntax.durations import format_lifetime

DOCTOR = "`portmap doctor` says why"
_DETAILS = re.compile(r" \((?!process )")
_LONG = 100  # characters of a reason; a longer one loses its details in brackets
_HEADS: dict[type[PortEvent], str] = {
    PortAdded: "mapped",
    PortChanged: "changed",
    PortRenewed: "renewed",
    PortFailed: "failed",
    PortLost: "lost",
    PortRemoved: "removed",
}
_SILENCE = {"NoGateway", "GatewayTimeout"}  # errors that say nothing more than that the gateway is lost
Renderer: TypeAlias = Callable[[Shown, float], str | None]
"""An event, or a run of them, and unix time in seconds to a line; None for none."""


def as_json_line(event: Event, at: float) -> str:
    """The event as one JSON object; `at` is unix time in seconds."""
    return json_line(ts=round(at, 3), **event.to_dict())


class HumanRenderer:
    """One session's lines for people. `quiet`: only what went wrong; `renewals`: successful renewals too."""

    def __init__(self, *, quiet: bool = False, renewals: bool = False, style: Style = PLAIN) -> None:
        self._quiet = quiet
        self._renewals = renewals
        self._style = style
        self._failing: set[str] = set()
        self._gateway_is_lost = False

    def __call__(self, shown: Shown, at: float) -> str | None:
        """The line, or None where the event is not worth one; `at` is unix time in seconds."""
        event = shown.first if isinstance(shown, PortRun) else shown
        if not self._is_worth_a_line(event):
            return None
        word, text = _head_and_text(event, shown.last if isinstance(shown, PortRun) else None)
        return format_line(word, text, at, self._style) if text else None

    def _is_worth_a_line(self, event: Event) -> bool:
        match event:
            case PublisherEvent():
                return self._is_news(event) and not (self._quiet and isinstance(event, PublisherOk))
            case GatewayFound() | GatewayLost():
                self._gateway_is_lost = isinstance(event, GatewayLost)
            case PortFailed(kind="mapping") if self._gateway_is_lost and event.error in _SILENCE:
                return False  # the line about the gateway has said it
            case PortRenewed():
                return self._renewals and not self._quiet
        return _is_trouble(event) or not self._quiet

    def _is_news(self, event: PublisherEvent) -> bool:
        """Every failure; a success that names what the target has, or that follows a failure."""
        known = event.publisher in self._failing
        if not isinstance(event, PublisherOk):
            self._failing.add(event.publisher)
            return True
        self._failing.discard(event.publisher)
        return known or bool(event.has)


def _is_trouble(event: Event) -> bool:
    troubles = GatewayLost | ExternalIPFailed | PortFailed | PortLost | PublisherFailed | MappingUnreachable
    return isinstance(event, troubles)


def _head_and_text(event: Event, last: PortEvent | None) -> tuple[str, str]:
    """The word at the line's head, and the rest; an empty rest: not worth a line. `last`: of a run of ports."""
    word, text = event.event, ""
    match event:
        case GatewayEvent():
            word, text = "gateway", _gateway(event)
        case ExternalIPEvent():
            word, text = "external", _address(event)
        case PortEvent():
            word, text = _port_head(event), _port(event, last or event)
        case ProofEvent():
            word, text = "proved" if isinstance(event, MappingReachable) else "shut", _proof(event)
        case NetworkChanged():
            word, text = "network", event.reason
        case PublisherEvent():
            word, text = "publish", _publisher(event)
        case RecordChanged():
            word, text = "record", event.enr  # without a signature it says nothing that the other lines do not
    return word, text


def _port_head(event: PortEvent) -> str:
    return "pinhole" if event.kind == "pinhole" and isinstance(event, PortAdded) else _HEADS[type(event)]


def _proof(event: ProofEvent) -> str:
    port = f"{event.name} " if event.name else ""
    port += Key(event.protocol, event.internal_port, event.host).typed
    port += f" at {event.external_ip}:{event.external_port}"
    return f"{port}  reached by {event.how}" if isinstance(event, MappingReachable) else f"{port}  {event.reason}"


def _publisher(event: PublisherEvent) -> str:
    if isinstance(event, PublisherFailed):
        return f"{event.publisher} does not have it yet: {event.reason}"
    has = event.has if isinstance(event, PublisherOk) else ""
    return f"{event.publisher} has {has}" if has else f"{event.publisher} works again"


def _gateway(event: GatewayEvent) -> str:
    match event:
        case GatewayLost():
            return _lost(event)
        case GatewayRebooted():
            return f"{event.gateway} may have forgotten our mappings: {event.reason}"
        case GatewayFound(ms=int()):
            return f"{event.gateway}  answered in {event.ms} ms"
    return event.gateway


def _lost(event: GatewayLost) -> str:
    again = "trying again" if event.retry_in is None else f"trying again in {max(1, round(event.retry_in))} s"
    head = _head(event.reason)
    return f"lost: {event.reason}; {again}" if head == event.reason else f"{head}; {again}; {DOCTOR}"


def _short(reason: str) -> str:
    head = _head(reason)
    return reason if head == reason else f"{head}; {DOCTOR}"


def _head(reason: str) -> str:
    """A reason without the details in brackets, if it is long."""
    return _DETAILS.split(reason, maxsplit=1)[0] if len(reason) > _LONG else reason


def _address(event: ExternalIPEvent) -> str:
    if isinstance(event, ExternalIPFailed):
        return f"unknown: {_short(event.reason)}"
    before = f" (was {event.previous_ip})" if event.previous_ip else ""
    meaning = meaning_of(event.scope)
    return f"{event.external_ip}{before}  {event.scope}{f': {meaning}' if meaning else ''}"


def _port(event: PortEvent, last: PortEvent) -> str:
    what = f"{event.name} " if event.name else ""
    what += f"{span(event.internal_port, last.internal_port)}{at_host(event.host)}/{event.protocol.lower()}"
    if isinstance(event, PortFailed):
        over = " over IPv6" if event.kind == "pinhole" else ""
        return f"{what}{over}: {_short(event.reason)}"
    because = f"  ({event.reason})" if event.reason else ""
    shut = isinstance(event, PortLost | PortRemoved)
    lease = "" if shut else f"  {_lease(event)}"
    outside = span(event.external_port or 0, last.external_port or 0)
    return f"{what} at {_authority(event.external_ip)}:{outside}{lease}{because}"


def _authority(address: Address | None) -> str:
    if address is None:
        return "?"
    return f"[{address}]" if address.version == 6 else str(address)


def _lease(event: PortEvent) -> str:
    if event.static:
        return "nothing sent: taken as open"
    return f"lease {format_lifetime(event.lifetime)}" if event.lifetime else format_lifetime(0)


LineFormatter: TypeAlias = Callable[[str, Event, float], str | None]
"""An instance's name, an event and unix time in seconds to a line, or several; None for none."""


def json_with_instance_name(instance: str, event: Event, at: float) -> str:
    """The event as one JSON object, with the instance's name."""
    return json_line(ts=round(at, 3), instance=instance, **event.to_dict())
