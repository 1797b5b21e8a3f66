"""The quirks as a list: for tables, command lines, and tests that go through all of them.

Pure. `quirks.Quirks` is the source. A name alone stands for its `usual` value.
"""

import math
from collections.abc import Iterable
from dataclasses import Field, dataclass, fields
from difflib import get_close_matches
from typing import Any

from portmap.errors import SpecError
from portmap.model import MAX_PORT
from portmap.simulator.quirk_sources import QUIRK_SOURCES
from portmap.simulator.quirks import Quirks


@dataclass(frozen=True, slots=True)
class QuirkOption:
    """One quirk: its name, what it does, its bare value, which routers do it, and the source."""

    name: str
    says: str
    usual: Any
    seen: str
    source: str
    choices: tuple[str, ...] = ()

    @property
    def form(self) -> str:
        """How it is written on a command line."""
        match self.usual:
            case bool():
                return self.name
            case frozenset():
                return f"{self.name}=PORT,…"
            case tuple():
                return f"{self.name}={','.join(self.usual)}"
            case float():
                return f"{self.name}={self.usual:g}"
        return f"{self.name}={self.usual}"

    def on(self) -> Quirks:
        """A router with this quirk alone, at its usual value."""
        return Quirks(**{self.name: self.usual})

    def read(self, text: str) -> Any:
        """The value that a text stands for. Raises SpecError."""
        try:
            value = self._parse(text)
        except ValueError as error:
            raise SpecError(f"quirk {self.name}={text!r} makes no sense: write {self._forms}") from error
        if isinstance(value, int | float) and not (math.isfinite(value) and (value >= 0 or self.name == "upnp_error")):
            raise SpecError(f"quirk {self.name}={text!r} is out of range: write {self.form}")
        return value

    @property
    def _forms(self) -> str:
        return f"{self.form}, or another of {', '.join(self.choices)}" if self.choices else self.form

    def _parse(self, text: str) -> Any:
        match self.usual:
            case bool():
                return bool(("off", "on").index(text))
            case frozenset():
                return frozenset(port for part in text.split(",") for port in _ports(part))
            case tuple():
                return tuple(self._chosen(word) for word in text.split(","))
            case str():
                return self._chosen(text)
        return type(self.usual)(text)

    def _chosen(self, word: str) -> str:
        return self.choices[self.choices.index(word)] if self.choices else word


def _ports(text: str) -> range:
    """The ports of `80` or `5000-5010`. Raises ValueError."""
    first, _, last = text.partition("-")
    ports = range(int(first), int(last or first) + 1)
    if not ports or ports[-1] > MAX_PORT:
        raise ValueError(text)
    return ports


def _switch(quirk: "Field[Any]") -> QuirkOption:
    seen, source = QUIRK_SOURCES[quirk.name]
    says, usual = quirk.metadata["says"], quirk.metadata["usual"]
    return QuirkOption(quirk.name, says, usual, seen, source, quirk.metadata.get("choices", ()))


SWITCHES: dict[str, QuirkOption] = {quirk.name: _switch(quirk) for quirk in fields(Quirks)}


def parse_quirks(words: Iterable[str]) -> Quirks:
    """The quirks that words such as `other_port`, `loss=0.3` or `conflict=80,443` name. Raises SpecError."""
    chosen: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        switch = SWITCHES.get(name.replace("-", "_"))
        if switch is None:
            raise SpecError(f"no quirk is named {name!r}{_nearest(name)}: see portmap router --list-quirks")
        chosen[switch.name] = switch.read(text) if equals else switch.usual
    return Quirks(**chosen)


def _nearest(name: str) -> str:
    near = get_close_matches(name, SWITCHES, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def table_markdown() -> str:
    """All switches as a Markdown table."""
    rows = ["| switch | what the router does | seen with | source |", "|---|---|---|---|"]
    rows += [f"| `{it.form}` | {it.says} | {it.seen} | {it.source} |" for it in SWITCHES.values()]
    return "\n".join(rows) + "\n"
