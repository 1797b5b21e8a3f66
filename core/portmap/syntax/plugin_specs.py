"""Specs: `NAME[:ARGUMENT]`, as in `pmp:192.168.1.1`, `upnp`, `extip:203.0.113.7`; for a backend also a list of them.

Pure, and ignorant of which names exist: a spec is split here, and the plugin that it names checks the rest. An argument
may hold a secret, so no message and no `str` repeats it.

The grammar is go-ethereum's `nat.Parse` (p2p/nat/nat.go): split at the first colon only, name case-insensitive,
nothing trimmed, the empty name means "none".

A list is ours: `pcp,upnp` stands for `any:pcp,upnp`. A URL may have commas, so a comma parts two members only where
what follows looks like a name that ends there or at a colon: `upnp:http://192.168.1.1/a,b.xml` is no list.

A chain is ours, too: `any beyond pmp:192.168.0.1` are two gateways in a row, from this host outwards. No spec has a
blank in it, so the word between two blanks parts them. So it is with `any on eth1`: the gateway, and those beyond it,
are spoken to by that interface of this host alone.
"""

import re
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from typing import NamedTuple

from portmap.errors import SpecError

ANY = "any"  # the backend that takes a list
BEYOND = " beyond "  # between two gateways of a chain
ON = " on "  # between the first gateway and the interface of this host

_MEMBER = r"[A-Za-z][A-Za-z0-9_-]*(?:[:,]|$)"
_COMMA = re.compile(rf",(?={_MEMBER})")
_LOOSE_COMMA = re.compile(rf"(?:\s,\s*|,\s+)(?={_MEMBER})")
_TRY = "write NAME[:ARGUMENT],NAME[:ARGUMENT] without it"
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,32}")
_INTERFACE = re.compile(r"[^\s/:]+")
_LONGEST_INTERFACE = 15  # bytes: IFNAMSIZ, linux/if.h, and dev_valid_name(), net/core/dev.c


class Spec(NamedTuple):
    """A spec, split. `argument` is None where there is no colon, and may be empty where there is one.

    `beyond`: the gateways beyond this one, from here outwards. `interface`: the one to use of this host's interfaces;
    None: the routing table decides.
    """

    name: str
    argument: str | None = None
    beyond: "tuple[Spec, ...]" = ()
    interface: str | None = None

    def __str__(self) -> str:
        here = self.name if self.argument is None else f"{self.name}:…"
        return chain_text(here, map(str, self.beyond), self.interface)

    @property
    def text(self) -> str:
        """The spec as it is written, with its argument."""
        here = self.name if self.argument is None else f"{self.name}:{self.argument}"
        return chain_text(here, (hop.text for hop in self.beyond), self.interface)

    @property
    def hops(self) -> "tuple[Spec, ...]":
        """Each gateway by itself, one or those of a chain: all are reached by the same interface."""
        inner = self._replace(beyond=())
        return inner, *(hop._replace(interface=self.interface) for hop in self.beyond)


def chain_text(nat: str, beyond: Iterable[str], interface: str | None = None) -> str:
    """The spec of a chain, as it is written: the innermost gateway, the interface if any, and the gateways beyond."""
    here = nat if interface is None else f"{nat}{ON}{interface}"
    return BEYOND.join((here, *beyond))


def on_interface(spec: str, interface: str | None) -> str:
    """The same gateway, or chain, by this interface; None: as it is. Raises SpecError for one that names another."""
    inner, *beyond = spec.split(BEYOND)
    if interface is None or inner.endswith(f"{ON}{interface}"):
        return spec
    if ON in inner:
        raise SpecError(f"two interfaces are named, {inner.partition(ON)[2]} and {interface}: name one")
    return chain_text(inner, beyond, interface)


def interface_in(text: str) -> str | None:
    """The interface in a spec, as it is written; None for none."""
    _, on, interface = text.partition(BEYOND)[0].partition(ON)
    return interface if on else None


def hop_texts(text: str) -> list[str]:
    """The specs of a chain, as they are written; one for a gateway alone. The interface is left out."""
    inner, *beyond = text.split(BEYOND)
    return [inner.partition(ON)[0], *beyond]


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
    """A spec, a list of them or a chain as a message names it: of the arguments only IP addresses are shown.

    The empty spec is called "none", as its backend is.
    """

    def shown(hop: str) -> str:
        members = (member.partition(":") for member in _COMMA.split(hop))
        return ",".join(
            f"{_shown_name(name)}{colon}{_shown_argument(argument) if colon else ''}"
            for name, colon, argument in members
        )

    return _each_hop(text, shown) or "none"


def _each_hop(text: str, shown: Callable[[str], str]) -> str:
    inner, *beyond = map(shown, hop_texts(text))
    return chain_text(inner, beyond, interface_in(text))


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
    """Split a backend's spec; a list becomes the argument of `any`. Raises SpecError as the parts' parsers."""
    inner, *beyond = map(_parse_hop, hop_texts(text))
    interface = interface_in(text)
    return inner._replace(beyond=tuple(beyond), interface=None if interface is None else parse_interface(interface))


def _parse_hop(text: str) -> Spec:
    if _LOOSE_COMMA.search(text):
        raise SpecError(f"spec {quoted_name(text)} has white space around a comma: {_TRY}")
    if ON in text:
        raise SpecError("the interface stands once, behind the first gateway: write NAME on eth0 beyond NAME")
    spec = parse_spec(text)
    if " " in spec.name and BEYOND in f" {spec.name} ":
        raise SpecError("the word beyond stands between two gateways: write NAME beyond NAME, in small letters")
    is_list = spec.name != ANY and ("," in spec.name or _COMMA.search(text))
    return Spec(ANY, text) if is_list else spec


def parse_interface(text: str, what: str = "the interface") -> str:
    """The text, if a network interface can have that name. Raises SpecError, which calls it `what`."""
    is_short = len(text.encode(errors="replace")) <= _LONGEST_INTERFACE
    if not (text.isprintable() and _INTERFACE.fullmatch(text) and is_short) or text in (".", ".."):
        shown = repr(text[:40]) if text.isprintable() else "(not shown)"
        rule = f"a name has up to {_LONGEST_INTERFACE} bytes, without blank, slash and colon"
        raise SpecError(f"{what} {shown} cannot be: {rule}, as in eth0")
    return text


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
