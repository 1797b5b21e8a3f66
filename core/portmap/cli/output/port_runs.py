"""Collects the events of a range of ports, so that it is one line instead of one for each port. Pure.

Rules:
- Only ports of a range that was asked for are collected; every other event passes at once.
- A range is told when each of its ports has had an event of the same kind, or when any other kind of event comes.
- What does not agree (another address, lease or reason, an external port out of line) is told apart.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from portmap.events import Event, PortEvent, PublisherEvent, RecordChanged
from portmap.model import Key, PortRequest


class PortRun(NamedTuple):
    """The same event of ports that follow each other: its first and its last one."""

    first: PortEvent
    last: PortEvent


Shown: TypeAlias = Event | PortRun


class PortRunCollector:
    """Of one session."""

    def __init__(self) -> None:
        self._range_of: dict[Key, frozenset[Key]] = {}
        self._collected: dict[frozenset[Key], list[PortEvent]] = {}

    def expect(self, requests: Iterable[PortRequest]) -> None:
        """These requests belong together, if they are several; more may be added."""
        for run in _ranges(requests):
            self._range_of |= dict.fromkeys(run, run)

    def add(self, event: Event) -> list[Shown]:
        """What is to be shown now: the event, or nothing yet, or what was collected before."""
        if isinstance(event, PublisherEvent | RecordChanged):
            return [event]
        kept = self._range_of.get(event.key) if isinstance(event, PortEvent) else None
        shown = self.rest() if any(type(held[0]) is not type(event) for held in self._collected.values()) else []
        if kept is None or not isinstance(event, PortEvent):
            return [*shown, event]
        events = self._collected.setdefault(kept, [])
        events.append(event)
        if {it.key for it in events} >= kept:
            shown += _in_runs(self._collected.pop(kept))
        return shown

    def rest(self) -> list[Shown]:
        """What was collected and not shown yet."""
        collected, self._collected = self._collected, {}
        return [shown for events in collected.values() for shown in _in_runs(events)]


def _ranges(requests: Iterable[PortRequest]) -> Iterator[frozenset[Key]]:
    """The keys of each range of two or more ports."""
    by_protocol: dict[str, list[Key]] = {}
    for request in requests:
        by_protocol.setdefault(request.protocol, []).append(request.key)
    yield from (frozenset(keys) for keys in by_protocol.values() if len(keys) > 1)


def _in_runs(events: Sequence[PortEvent]) -> list[Shown]:
    shown: list[Shown] = []
    for event in sorted(events, key=lambda it: it.internal_port):
        before = shown[-1] if shown else None
        last = before.last if isinstance(before, PortRun) else before
        if isinstance(last, PortEvent) and _follows(last, event):
            shown[-1] = PortRun(before.first if isinstance(before, PortRun) else last, event)
        else:
            shown.append(event)
    return shown


def _follows(before: PortEvent, after: PortEvent) -> bool:
    """Whether both say the same of ports that follow each other, inside and outside."""
    if (after.internal_port, after.host) != (before.internal_port + 1, before.host):
        return False
    ports = (before.external_port, after.external_port)
    if ports != (None, None) and (None in ports or (after.external_port or 0) - (before.external_port or 0) != 1):
        return False
    return _said(before) == _said(after)


def _said(event: PortEvent) -> tuple[object, ...]:
    return event.external_ip, event.lifetime, event.name, event.static, event.reason, event.error
