"""The entry points of the installed distributions, each read on its own: one that cannot be read costs no other."""

import logging
from importlib.metadata import Distribution, EntryPoint, distributions

from portmap.loading.other_entries import MAX_TEXT

MAX_NAMES = 100  # names of one distribution in one group
_UNKNOWN = "unknown", "0"

log = logging.getLogger("portmap.plugins")


def installed_entries(group: str) -> tuple[list[EntryPoint], list[str]]:
    """The entry points of the group, and for each distribution that cannot be read what is wrong with it."""
    found: list[EntryPoint] = []
    faults: list[str] = []
    seen: set[str] = set()
    for distribution in distributions():
        name = _short_name(distribution)
        if name in seen:  # an earlier one on sys.path hides it
            continue
        seen.add(name)
        try:
            found += _entries_of(distribution, group)
        except Exception as error:  # noqa: BLE001  # a third party's file may hold anything
            faults.append(f"the plugins of {name} cannot be read: {type(error).__name__}: {error}")
            log.info("%s", faults[-1])
    return found, faults


def origin_of(distribution: Distribution | None) -> tuple[str, str]:
    """Name and version; a half-removed distribution may know neither, and one's metadata may be unreadable."""
    if distribution is None:
        return _UNKNOWN
    try:
        name, version = distribution.metadata.get("Name"), distribution.metadata.get("Version")  # type: ignore[attr-defined]
    except Exception as error:  # noqa: BLE001  # as above
        log.info("the metadata of %s cannot be read: %s", _short_name(distribution), error)
        return _short_name(distribution), _UNKNOWN[1]
    return str(name or _UNKNOWN[0]), str(version or _UNKNOWN[1])


def _entries_of(distribution: Distribution, group: str) -> list[EntryPoint]:
    text = distribution.read_text("entry_points.txt")
    if not text or group not in text:
        return []
    if len(text) > MAX_TEXT:
        raise ValueError(f"entry_points.txt has {len(text)} characters; at most {MAX_TEXT} are read")
    entries = [entry for entry in distribution.entry_points if entry.group == group]
    if len(entries) > MAX_NAMES:
        raise ValueError(f"{len(entries)} names in {group}; at most {MAX_NAMES} are accepted")
    return entries


def _short_name(distribution: Distribution) -> str:
    """The name by which one distribution hides another; taken from the folder's name where the system knows that."""
    try:
        return str(getattr(distribution, "_normalized_name", "") or distribution.metadata["Name"] or id(distribution))
    except Exception:  # noqa: BLE001  # as above
        return f"a distribution ({id(distribution)})"
