"""The entry points of our own distribution, read from its `entry_points.txt` alone.

To ask importlib.metadata for them takes 10 ms and more: it imports the email package, and reads every distribution. Our
names are ours whatever else is installed (`portmap.loading.catalog`), so a backend of ours needs none of that.
Whatever is unusual about our installation gives no entries: then importlib.metadata is asked.
"""

import os
import sys
from collections.abc import Iterator
from functools import reduce
from importlib import import_module
from typing import Any

DISTRIBUTION = "portmap-nat"
MAX_SIZE = 64 * 1024  # characters of our entry_points.txt; it has 1,000
_PREFIX, _SUFFIX = "portmap_nat-", ".dist-info"  # "Recording installed projects", packaging.python.org


class OwnEntry:
    """One entry point of ours, as `importlib.metadata.EntryPoint` but for the distribution: that is `origin`."""

    def __init__(self, group: str, name: str, value: str, version: str) -> None:
        self.group = group
        self.name = name
        self.value = value
        self.origin = (DISTRIBUTION, version)

    def load(self) -> Any:
        """Import the module and return the class."""
        module, _, attribute = self.value.partition(":")
        return reduce(getattr, attribute.split("."), import_module(module))


def own_entries(group: str) -> list[OwnEntry]:
    """Our entry points of the group, in the file's order; none where they are not found in the usual place."""
    found = next(_metadata_folders(), None)  # the first on sys.path hides the others
    if found is None:
        return []
    folder, version = found
    try:
        with open(os.path.join(folder, "entry_points.txt"), encoding="utf-8") as file:  # noqa: PTH118, PTH123  # as below
            text = file.read(MAX_SIZE + 1)
    except (OSError, UnicodeDecodeError):
        return []
    if len(text) > MAX_SIZE:
        return []
    return [OwnEntry(group, name, value, version) for name, value in _section(text, group)]


def is_our_metadata(name: str) -> bool:
    """Whether a folder of this name has the metadata of our distribution."""
    return name.startswith(_PREFIX) and name.endswith(_SUFFIX)


def _metadata_folders() -> Iterator[tuple[str, str]]:
    for place in sys.path:
        try:
            names = os.listdir(place or ".")  # noqa: PTH208  # a Path for each of a thousand names takes longer than all else
        except OSError:
            continue
        for name in names:
            if is_our_metadata(name):
                yield os.path.join(place, name), name[len(_PREFIX) : -len(_SUFFIX)]  # noqa: PTH118  # as above


def _section(text: str, group: str) -> Iterator[tuple[str, str]]:
    """The names and values of one section: "Entry points specification", packaging.python.org."""
    inside = False
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            inside = line == f"[{group}]"
        elif inside and line and line[0] not in "#;":
            name, _, value = line.partition("=")
            yield name.strip(), value.strip()
