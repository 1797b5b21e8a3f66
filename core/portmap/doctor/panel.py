"""Who is asked: every installed backend that maps ports, or those that a spec names.

Law: nothing is sent here. Whoever is merely installed is loaded later, beside the others; what the user named is found
at once, and a mistake of his is told before anything is asked.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from portmap.builtin import AnyGateway
from portmap.errors import SpecError
from portmap.field import beside_others
from portmap.hookspecs import BACKENDS
from portmap.model import Kind
from portmap.nat import Nat, make
from portmap.plugins import Catalogue, Plugin
from portmap.spec import Spec, parse_backend, parse_list


@dataclass(frozen=True, slots=True)
class Witness:
    """One to be asked. `load` gives the door, None for who takes no part; `chosen` and `placed` as in `Answer`."""

    name: str
    load: Callable[[], Nat | None]
    chosen: bool = True
    placed: bool = False


def witnesses(spec: str, catalogue: Catalogue | None = None) -> tuple[Witness, ...]:
    """Whom to ask about a spec. Raises SpecError for one that makes no sense, or names no gateway.

    Beside a backend that is named without saying where its gateway is, the others are asked to compare.
    """
    catalogue = catalogue or Catalogue(BACKENDS)
    specs = _members(parse_backend(spec), catalogue)
    named = [_named(member, catalogue) for member in specs]
    taken = {catalogue.find(member).value for member in specs}
    others = () if any(witness.placed for witness in named) else catalogue.plugins
    rest = [it for it in others if not it.taken_by and it.value not in taken]
    return (*named, *(Witness(it.names[0], _loader(it), chosen=not named) for it in rest))


def _members(spec: Spec, catalogue: Catalogue) -> tuple[Spec, ...]:
    """What a list names; nothing where everybody is meant."""
    if catalogue.find(spec).load() is not AnyGateway:
        return (spec,)
    return parse_list(spec.argument) if spec.argument else ()


def _named(spec: Spec, catalogue: Catalogue) -> Witness:
    plugin = catalogue.find(spec)
    backend_class = plugin.load()
    if backend_class.kind is Kind.NONE:
        raise SpecError(f"{spec} names no gateway, so there is nothing to examine: use any, or name a gateway")
    nat = Nat(make(backend_class, spec, str(plugin)), str(plugin))
    return Witness(str(spec), lambda: nat, placed=spec.argument is not None)


def _loader(plugin: Plugin) -> Callable[[], Nat | None]:
    def load() -> Nat | None:
        backend_class = plugin.load()
        if not _maps(backend_class):
            return None
        backend = make(backend_class, Spec(plugin.names[0]), str(plugin), beside_others(backend_class))
        return Nat(backend, str(plugin))

    return load


def _maps(backend_class: Any) -> bool:
    """Whether it speaks to a gateway that it finds by itself, and opens ports there."""
    by_itself = getattr(backend_class, "preference", 0) is not None and getattr(backend_class, "opens_ports", True)
    return backend_class.kind is Kind.LOOP and backend_class is not AnyGateway and by_itself
