"""What newly read settings change in what already runs: as little as they can.

Pure. An instance is known by its name, a mapping by its protocol and internal port. What is as it was stays
untouched.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from portmap.config.settings import Instance
from portmap.model import DEFAULT_LIFETIME, Key


@dataclass(frozen=True, slots=True)
class Start:
    """Begin a new instance."""

    instance: Instance


@dataclass(frozen=True, slots=True)
class End:
    """End an instance that is wanted no more."""

    instance: Instance


@dataclass(frozen=True, slots=True)
class Restart:
    """More than mappings has changed: the old one must end before the new one can begin."""

    before: Instance
    instance: Instance


@dataclass(frozen=True, slots=True)
class Adjust:
    """The session stays: first these mappings go, then those come. Both empty: nothing has changed."""

    instance: Instance
    remove: tuple[Key, ...]
    add: tuple[Key, ...]


Change: TypeAlias = Start | End | Restart | Adjust


def diff(old: Sequence[Instance], new: Sequence[Instance]) -> tuple[Change, ...]:
    """What to do, instance by instance as their names say; ends come first, for a port may move to another instance."""
    before = {instance.name: instance for instance in old}
    wanted = {instance.name for instance in new}
    ends = tuple(End(instance) for instance in old if instance.name not in wanted)
    there = tuple(_change(before[it.name], it) for it in new if it.name in before)
    starts = tuple(Start(instance) for instance in new if instance.name not in before)
    return ends + there + starts


def _change(old: Instance, new: Instance) -> Change:
    if replace(old, mappings=()) != replace(new, mappings=()) or bool(old.mappings) != bool(new.mappings):
        return Restart(old, new)
    had = {request.key: request for request in old.requests(DEFAULT_LIFETIME)}
    has = {request.key: request for request in new.requests(DEFAULT_LIFETIME)}
    remove = tuple(key for key in had if has.get(key) != had[key])
    add = tuple(key for key in has if has[key] != had.get(key))
    return Adjust(new, remove, add)
