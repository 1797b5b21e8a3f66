"""On which line of a TOML document a value stands, which tomllib does not tell.

Law: pure, and a light scan, not a parser: the document is known to be valid TOML. What it cannot place, as the inside
of an inline table, is said to stand where the thing around it begins.
"""

import re
from collections.abc import Mapping
from typing import TypeAlias

Place: TypeAlias = tuple[str | int, ...]
"""The way to a value: ("map", 1, "port") is `port` in the second `[[map]]`."""

_STRING = r"\"(?:\\.|[^\"\\\n])*\"|'[^'\n]*'"
_MANY_LINES = r'"""(?:\\.|[^\\])*?"{3,5}' + "|'''.*?'{3,5}"
_OPAQUE = re.compile(rf"(?P<many>{_MANY_LINES})|(?P<string>{_STRING})|#[^\n]*", re.DOTALL)
_PART = rf"(?:{_STRING}|[A-Za-z0-9_-]+)"
_PATH = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER = re.compile(rf"\s*(?P<open>\[\[?)\s*(?P<path>{_PATH})\s*\]")
_KEY = re.compile(rf"\s*(?P<path>{_PATH})\s*=")


def lines_of(text: str) -> dict[Place, int]:
    """The line, from 1, of every table header and key that begins a line."""
    lines: dict[Place, int] = {}
    counts: dict[Place, int] = {}
    table: Place = ()
    depth = 0
    for number, line in enumerate(_OPAQUE.sub(_without_lines, text).split("\n"), 1):
        if depth == 0 and (header := _HEADER.match(line)):
            table = _table(_parts(header["path"]), counts, is_array=header["open"] == "[[")
            lines.setdefault(table, number)
            continue
        if depth == 0 and (key := _KEY.match(line)):
            lines.setdefault(table + _parts(key["path"]), number)
        depth += _depth(line)
    return lines


def line_of(lines: Mapping[Place, int], place: Place) -> int:
    """The line of a value, or of what is around it."""
    while place and place not in lines:
        place = place[:-1]
    return lines.get(place, 1)


def _table(path: Place, counts: dict[Place, int], *, is_array: bool) -> Place:
    """Where a header leads: each array of tables on the way is entered at its latest table."""
    place: Place = ()
    for part in path[:-1]:
        place = (*place, part)
        if place in counts:
            place = (*place, counts[place] - 1)
    place = (*place, *path[-1:])
    if is_array:
        counts[place] = counts.get(place, 0) + 1
        place = (*place, counts[place] - 1)
    return place


def _parts(path: str) -> Place:
    return tuple(part.strip("\"'") for part in re.findall(_PART, path))


def _without_lines(opaque: "re.Match[str]") -> str:
    """A string as it is if it has one line; else, and for a comment, only its line ends."""
    return opaque["string"] or "\n" * opaque[0].count("\n")


def _depth(line: str) -> int:
    """How many brackets stay open at the line's end."""
    bare = re.sub(_STRING, "", line)
    return sum(bare.count(left) - bare.count(right) for left, right in ("[]", "{}"))
