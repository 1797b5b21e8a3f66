"""One table of a TOML document, read key by key; what makes no sense is noted as a fault with its line.

Pure. A fault stops nothing: the rest is read all the same, so that all faults are told at once.

On which line of a TOML document a value stands, which tomllib does not tell.

Pure, and a light scan, not a parser: the document is known to be valid TOML. What it cannot place, as the inside
of an inline table, is said to stand where the thing around it begins.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from portmap.errors import SpecError
from portmap.syntax.plugin_specs import quoted_name

Place: TypeAlias = tuple[str | int, ...]


V = TypeVar("V")


@dataclass(frozen=True, slots=True, order=True)
class ConfigFault:
    """What is wrong on a line."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class TomlTable:
    """The values of a table and where it stands. `lines` and `faults` are the whole document's."""

    values: Mapping[str, Any]
    place: Place
    lines: Mapping[Place, int]
    faults: list[ConfigFault]

    def reject_unknown_keys(self, known: Collection[str]) -> None:
        """Note every key that is not among the known ones."""
        for key in self.values:
            if key not in known:
                self.fault(f"unknown key {quoted_name(key)}: {_nearest(key, known)}", key)

    def read(self, key: str, reading: Callable[[Any, str], V]) -> V | None:
        """What `reading` makes of the key's value; None where there is none, or a SpecError was raised and noted."""
        if key in self.values:
            try:
                return reading(self.values[key], key)
            except SpecError as error:
                self.fault(str(error), key)
        return None

    def tables(self, key: str) -> Iterator["TomlTable"]:
        """The tables of an array, `[[key]]`."""
        rows = self.values.get(key, [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            self.fault(f"{key} is no list of tables: write [[{'.'.join((*self._names(), key))}]]", key)
            return
        for number, row in enumerate(rows):
            yield TomlTable(row, (*self.place, key, number), self.lines, self.faults)

    def fault(self, text: str, *key: str) -> None:
        """Note what is wrong with a key, or with the table."""
        self.faults.append(ConfigFault(line_of(self.lines, (*self.place, *key)), text))

    def _names(self) -> tuple[str, ...]:
        return tuple(part for part in self.place if isinstance(part, str))


def _nearest(key: str, known: Collection[str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415  # only the mistaken pay for it

    near = get_close_matches(key, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"use {', '.join(sorted(known))}"


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
