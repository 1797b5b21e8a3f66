"""One table of a TOML document, read key by key; what makes no sense is noted as a fault with its line.

Law: pure. A fault stops nothing: the rest is read all the same, so that all faults are told at once.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from portmap.errors import SpecError
from portmap.tomllines import Place, line_of

V = TypeVar("V")


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """What is wrong on a line."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """The values of a table and where it stands. `lines` and `faults` are the whole document's."""

    values: Mapping[str, Any]
    place: Place
    lines: Mapping[Place, int]
    faults: list[Fault]

    def only(self, known: Collection[str]) -> None:
        """Note every key that is not among the known ones."""
        for key in self.values:
            if key not in known:
                self.fault(f"unknown key {key!r}: {_nearest(key, known)}", key)

    def read(self, key: str, reading: Callable[[Any, str], V]) -> V | None:
        """What `reading` makes of the key's value; None where there is none, or a SpecError was raised and noted."""
        if key in self.values:
            try:
                return reading(self.values[key], key)
            except SpecError as error:
                self.fault(str(error), key)
        return None

    def tables(self, key: str) -> Iterator["Table"]:
        """The tables of an array, `[[key]]`."""
        rows = self.values.get(key, [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            self.fault(f"{key} is no list of tables: write [[{'.'.join((*self._names(), key))}]]", key)
            return
        for number, row in enumerate(rows):
            yield Table(row, (*self.place, key, number), self.lines, self.faults)

    def fault(self, text: str, *key: str) -> None:
        """Note what is wrong with a key, or with the table."""
        self.faults.append(Fault(line_of(self.lines, (*self.place, *key)), text))

    def _names(self) -> tuple[str, ...]:
        return tuple(part for part in self.place if isinstance(part, str))


def _nearest(key: str, known: Collection[str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415  # only the mistaken pay for it

    near = get_close_matches(key, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"use {', '.join(sorted(known))}"
