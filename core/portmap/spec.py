"""Specs: `NAME[:ARGUMENT]`, as in `pmp:192.168.1.1`, `upnp`, `extip:203.0.113.7`.

Law: pure, and ignorant of which names exist; a spec is split here and judged by the plugin it names.
The grammar is go-ethereum's `nat.Parse` (p2p/nat/nat.go): split at the first colon only, name case-insensitive,
nothing trimmed, the empty name means "none".
"""

from dataclasses import dataclass

from portmap.errors import SpecError


@dataclass(frozen=True, slots=True)
class Spec:
    """A spec, split. `argument` is None where there is no colon, and may be empty where there is one."""

    name: str
    argument: str | None = None

    def __str__(self) -> str:
        return self.name if self.argument is None else f"{self.name}:{self.argument}"


def parse_spec(text: str) -> Spec:
    """Split a spec. Raises SpecError for white space around a part or characters that no name can have."""
    name, colon, argument = text.partition(":")
    if text != text.strip() or name != name.strip() or argument != argument.strip():
        raise SpecError(f"spec {text!r} has white space around a part: write NAME or NAME:ARGUMENT without it")
    if not text.isprintable():
        raise SpecError(f"spec {text!r} has unprintable characters")
    return Spec(name.lower() or "none", argument if colon else None)
