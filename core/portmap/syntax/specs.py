"""Specs: `NAME[:ARGUMENT]`, as in `pmp:192.168.1.1`, `upnp`, `extip:203.0.113.7`; for a backend also a list of them.

Pure, and ignorant of which names exist: a spec is split here, and the plugin that it names checks the rest. An argument
may hold a secret, so no message and no `str` repeats it.

The grammar is go-ethereum's `nat.Parse` (p2p/nat/nat.go): split at the first colon only, name case-insensitive,
nothing trimmed, the empty name means "none".

A list is ours: `pcp,upnp` stands for `any:pcp,upnp`. A URL may have commas, so a comma parts two members only where
what follows looks like a name that ends there or at a colon: `upnp:http://192.168.1.1/a,b.xml` is no list.

A chain is ours, too: `any beyond pmp:192.168.0.1` are two gateways in a row, from this host outwards. No spec has a
blank in it, so the word between two blanks parts them.
"""

import re
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from typing import NamedTuple

from portmap.errors import SpecError

ANY = "any"  # the backend that takes a list
BEYOND = " beyond "  # between two gateways of a chain

_MEMBER = r"[A-Za-z][A-Za-z0-9_-]*(?:[:,]|$)"
_COMMA = re.compile(rf",(?={_MEMBER})")
_LOOSE_COMMA = re.compile(rf"(?:\s,\s*|,\s+)(?={_MEMBER})")
_TRY = "write NAME[:ARGUMENT],NAME[:ARGUMENT] without it"
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,32}")


class Spec(NamedTuple):
    """A spec, split. `argument` is None where there is no colon, and may be empty where there is one.

    `beyond`: the gateways beyond this one, from here outwards.
    """

    name: str
    argument: str | None = None
    beyond: "tuple[Spec, ...]" = ()

    def __str__(self) -> str:
        here = self.name if self.argument is None else f"{self.name}:…"
        return BEYOND.join((here, *map(str, self.beyond)))

    @property
    def text(self) -> str:
        """The spec as it is written, with its argument."""
        here = self.name if self.argument is None else f"{self.name}:{self.argument}"
        return chain_text(here, (hop.text for hop in self.beyond))

    @property
    def hops(self) -> "tuple[Spec, ...]":
        """Each gateway by itself: one, or those of a chain."""
        return Spec(self.name, self.argument), *self.beyond


def chain_text(nat: str, beyond: Iterable[str]) -> str:
    """The spec of a chain, as it is written: the innermost gateway, and those beyond it."""
    return BEYOND.join((nat, *beyond))


def hop_texts(text: str) -> list[str]:
    """The specs of a chain, as they are written; one for a gateway alone."""
    return text.split(BEYOND)


def quoted_name(text: str) -> str:
    """A spec's name as an error repeats it. The argument may hold a password, and so may what is no name."""
    name = text.partition(":")[0].strip()
    return repr(name) if _NAME.fullmatch(name) else "(not shown)"


def without_arguments(text: str) -> str:
    """A spec, a list of them or a chain as a message may show it."""

    def shown(hop: str) -> str:
        members = (member.partition(":") for member in _COMMA.split(hop))
        return ",".join(f"{name}:…" if colon else name for name, colon, _ in members)

    return _each_hop(text, shown)


def shown_spec(text: str) -> str:
    """A spec, a list of them or a chain as a message names it: of the arguments only IP addresses are shown."""

    def shown(hop: str) -> str:
        members = (member.partition(":") for member in _COMMA.split(hop))
        return ",".join(
            f"{_shown_name(name)}{colon}{_shown_argument(argument) if colon else ''}"
            for name, colon, argument in members
        )

    return _each_hop(text, shown)


def _each_hop(text: str, shown: Callable[[str], str]) -> str:
    return BEYOND.join(map(shown, hop_texts(text)))


def _shown_name(name: str) -> str:
    return name if not name or _NAME.fullmatch(name) else "(not shown)"


def _shown_argument(argument: str) -> str:
    try:
        return str(ip_address(argument)) if "%" not in argument else "…"  # a zone may be any text
    except ValueError:
        return "…"


def parse_spec(text: str) -> Spec:
    """Split a spec. Raises SpecError for white space around a part or characters that no name can have."""
    name, colon, argument = text.partition(":")
    if text != text.strip() or name != name.strip() or argument != argument.strip():
        raise SpecError(
            f"spec {quoted_name(text)} has white space around a part: write NAME or NAME:ARGUMENT without it"
        )
    if not text.isprintable():
        raise SpecError(f"spec {quoted_name(text)} has unprintable characters")
    return Spec(name.lower() or "none", argument if colon else None)


def parse_backend_spec(text: str) -> Spec:
    """Split a backend's spec; a list becomes the argument of `any`. Raises SpecError as `parse_spec`."""
    inner, *beyond = map(_parse_hop, hop_texts(text))
    return inner._replace(beyond=tuple(beyond))


def _parse_hop(text: str) -> Spec:
    if _LOOSE_COMMA.search(text):
        raise SpecError(f"spec {quoted_name(text)} has white space around a comma: {_TRY}")
    spec = parse_spec(text)
    if " " in spec.name and BEYOND in f" {spec.name} ":
        raise SpecError("the word beyond stands between two gateways: write NAME beyond NAME, in small letters")
    is_list = spec.name != ANY and ("," in spec.name or _COMMA.search(text))
    return Spec(ANY, text) if is_list else spec


def parse_spec_list(text: str) -> tuple[Spec, ...]:
    """The members of a list, in order; a spec alone is a list of one. Raises SpecError."""
    if _LOOSE_COMMA.search(text):
        raise SpecError(f"the list of specs has white space around a comma: {_TRY}")
    members = tuple(_COMMA.split(text))
    if any(not member or "," in member.partition(":")[0] for member in members):
        raise SpecError(
            "the list of specs has an empty member, or one that is no name: write NAME[:ARGUMENT] each time"
        )
    return tuple(map(parse_spec, members))
