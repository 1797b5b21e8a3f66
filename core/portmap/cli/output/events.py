"""Events as lines: for people, changes only and aligned; for programs, one JSON object a line.

Law: pure - an event and a wall-clock time in, text out.

The lines of several instances: each with its instance's name.

Law: pure, as `portmap.cli.output.events`.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from portmap.cli.output.formats import json_line
from portmap.config.settings import Instance
from portmap.events import (
    Event,
    ExternalIPEvent,
    ExternalIPFailed,
    GatewayEvent,
    GatewayFound,
    GatewayLost,
    GatewayRebooted,
    MappingAdded,
    MappingChanged,
    MappingFailed,
    MappingLost,
    MappingRemoved,
    MappingRenewed,
    NetworkChanged,
    PinholeAdded,
    PinholeChanged,
    PinholeEvent,
    PinholeFailed,
    PinholeLost,
    PinholeRemoved,
    PinholeRenewed,
    PortEvent,
    PublisherEvent,
    PublisherFailed,
    PublisherOk,
    RecordChanged,
)
from portmap.model import Address, meaning_of
from portmap.printable import printable
from portmap.syntax.durations import clock_time, format_duration

_HEADS: dict[type[PortEvent], str] = {
    MappingAdded: "mapped",
    MappingChanged: "changed",
    MappingRenewed: "renewed",
    MappingFailed: "failed",
    MappingLost: "lost",
    MappingRemoved: "removed",
    PinholeAdded: "pinhole",
    PinholeChanged: "changed",
    PinholeRenewed: "renewed",
    PinholeFailed: "failed",
    PinholeLost: "lost",
    PinholeRemoved: "removed",
}
Renderer: TypeAlias = Callable[[Event, float], str | None]


def as_json_line(event: Event, at: float) -> str:
    """The event as one JSON object; `at` is unix time in seconds."""
    return json_line(ts=round(at, 3), **event.to_dict())


def human_renderer(*, quiet: bool = False, renewals: bool = False) -> Renderer:
    """A renderer of lines for people; None for what they need not see. `quiet`: only what went wrong."""
    failing: set[str] = set()

    def render(event: Event, at: float) -> str | None:
        if isinstance(event, PublisherEvent) and not _is_worth_telling(event, failing):
            return None
        if (isinstance(event, MappingRenewed | PinholeRenewed) and not renewals) or (quiet and not _is_trouble(event)):
            return None
        word, text = _head_and_text(event)
        return format_line(word, text, at) if text else None

    return render


def format_line(word: str, text: str, at: float) -> str:
    """One aligned line: local time, a word, the rest."""
    return f"{clock_time(at)} {word:<9}{printable(text)}"


def _is_worth_telling(event: PublisherEvent, failing: set[str]) -> bool:
    """Every failure; a success that names what the target has, or that follows a failure."""
    known = event.publisher in failing
    if not isinstance(event, PublisherOk):
        failing.add(event.publisher)
        return True
    failing.discard(event.publisher)
    return known or bool(event.has)


def _is_trouble(event: Event) -> bool:
    troubles = (
        GatewayLost | ExternalIPFailed | MappingFailed | MappingLost | PinholeFailed | PinholeLost | PublisherFailed
    )
    return isinstance(event, troubles)


def _head_and_text(event: Event) -> tuple[str, str]:
    """The word at the line's head, and the rest; an empty rest: not worth a line."""
    word, text = event.event, ""
    match event:
        case GatewayEvent():
            word, text = "gateway", _gateway(event)
        case ExternalIPEvent():
            word, text = "external", _address(event)
        case PortEvent():
            word, text = _HEADS[type(event)], _port(event)
        case NetworkChanged():
            word, text = "network", event.reason
        case PublisherEvent():
            word, text = "publish", _publisher(event)
        case RecordChanged():
            word, text = "record", event.enr  # without a signature it says nothing that the other lines do not
    return word, text


def _publisher(event: PublisherEvent) -> str:
    if isinstance(event, PublisherFailed):
        return f"{event.publisher} does not have it yet: {event.reason}"
    return (
        f"{event.publisher} has {event.has}"
        if isinstance(event, PublisherOk) and event.has
        else f"{event.publisher} works again"
    )


def _gateway(event: GatewayEvent) -> str:
    match event:
        case GatewayLost():
            return f"lost: {event.reason}"
        case GatewayRebooted():
            return f"{event.gateway} may have forgotten us: {event.reason}"
        case GatewayFound(ms=int()):
            return f"{event.gateway}  answered in {event.ms} ms"
    return event.gateway


def _address(event: ExternalIPEvent) -> str:
    if isinstance(event, ExternalIPFailed):
        return f"unknown: {event.reason}"
    before = f" (was {event.previous_ip})" if event.previous_ip else ""
    meaning = meaning_of(event.scope)
    return f"{event.external_ip}{before}  {event.scope}{f': {meaning}' if meaning else ''}"


def _port(event: PortEvent) -> str:
    what = f"{event.name} " if event.name else ""
    what += f"{event.internal_port}/{event.protocol.lower()}"
    if isinstance(event, MappingFailed | PinholeFailed):
        over = " over IPv6" if isinstance(event, PinholeEvent) else ""
        return f"{what}{over}: {event.reason}"
    because = f"  ({event.reason})" if event.reason else ""
    shut = isinstance(event, MappingLost | MappingRemoved | PinholeLost | PinholeRemoved)
    lease = "" if shut else f"  {_lease(event)}"
    return f"{what} at {_authority(event.external_ip)}:{event.external_port}{lease}{because}"


def _authority(address: Address | None) -> str:
    if address is None:
        return "?"
    return f"[{address}]" if address.version == 6 else str(address)


def _lease(event: PortEvent) -> str:
    if event.static:
        return "nothing sent: taken as open"
    return f"lease {format_duration(event.lifetime)}" if event.lifetime else "permanent"


LineFormatter: TypeAlias = Callable[[str, Event, float], str | None]
"""An instance's name, an event and unix time in seconds to a line; None for none."""


def with_instance_names(render: Renderer, instances: Sequence[Instance]) -> LineFormatter:
    """Lines for people, with the instance's name in front; without, where there is but one at the start."""
    width = max((len(instance.name) for instance in instances), default=0)

    def show(instance: str, event: Event, at: float) -> str | None:
        text = render(event, at)
        return f"{instance:<{width}} {text}" if text is not None and len(instances) > 1 else text

    return show


def json_with_instance_name(instance: str, event: Event, at: float) -> str:
    """The event as one JSON object, with the instance's name."""
    return json_line(ts=round(at, 3), instance=instance, **event.to_dict())
