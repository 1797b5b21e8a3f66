"""Asks backends for what the doctor wants to know, all at once, each on a thread of its own, within a time limit.

Rules:
- It ends in time whatever a backend does; one that has not answered by then counts as silent. Threads are daemons.
- Asked are the backends that a spec names, or every installed one that maps ports.
- A named backend is loaded at once, so that a mistake of the user is told before anything is sent. The others are
  loaded on their threads.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from portmap.backends.any.backend import AnyBackend
from portmap.backends.any.candidates import race_constructor
from portmap.backends.load import checked_spec
from portmap.backends.nat import Nat
from portmap.backends.shared import SharedNat
from portmap.doctor.findings import BackendAnswer
from portmap.errors import GatewayTimeout, NATError, PluginError, PortmapError, SpecError
from portmap.hookspecs import BACKENDS
from portmap.loading.catalog import Catalogue, Plugin
from portmap.loading.construct import construct
from portmap.model import Kind, Listed
from portmap.network.egress import address_towards
from portmap.syntax.plugin_specs import Spec, parse_spec_list, shown_spec


@dataclass(frozen=True, slots=True)
class ProbeTarget:
    """A backend to ask. `load` gives it, or None where it takes no part.

    `chosen` as in `BackendAnswer`; `has_address`: the user named its gateway's address.
    """

    name: str
    load: Callable[[], Nat | None]
    chosen: bool = True
    has_address: bool = False


TIMEOUT = 4.5  # seconds; a silent NAT-PMP gateway is given up after 3.75, a search for UPnP after 2.5
_log = logging.getLogger("portmap.doctor")


class BackendProbe:
    """Asks as soon as it is made; `answers` and `results` wait for the answers."""

    def __init__(self, targets: Iterable[ProbeTarget], timeout: float = TIMEOUT) -> None:
        self._targets = tuple(targets)
        self._until = time.monotonic() + timeout
        self._timeout = timeout
        self._inbox: SimpleQueue[tuple[ProbeTarget, BackendAnswer | None]] = SimpleQueue()
        self._backends: dict[ProbeTarget, Nat] = {}
        for target in self._targets:
            Thread(target=self._run, args=(target,), name=f"doctor {shown_spec(target.name)}", daemon=True).start()

    def answers(self) -> tuple[BackendAnswer, ...]:
        """An answer for each target, in their order; those that take no part are left out."""
        answered = dict(self.results())
        answers = [answered.get(target, self._no_answer(target)) for target in self._targets]
        return tuple(answer for answer in answers if answer)

    def results(self) -> Iterator[tuple[ProbeTarget, BackendAnswer | None]]:
        """Each answer as it arrives, until all are in or the time is over; None: the target takes no part. Once."""
        for _ in self._targets:
            try:
                yield self._inbox.get(timeout=max(0.0, self._until - time.monotonic()))
            except Empty:
                return

    def backend(self, name: str) -> Nat | None:
        """The backend of that target, if it was loaded."""
        return next((nat for target, nat in self._backends.items() if target.name == name), None)

    def _no_answer(self, target: ProbeTarget) -> BackendAnswer:
        name = str(self._backends.get(target, shown_spec(target.name)))
        error = GatewayTimeout(f"{name} did not answer within {self._timeout:g} s")
        return BackendAnswer(target.name, name, error=error, chosen=target.chosen, placed=target.has_address)

    def _run(self, target: ProbeTarget) -> None:
        try:
            nat = target.load()
            answer = self._ask(target, nat) if nat else None
        except (PluginError, SpecError) as error:
            answer = BackendAnswer(target.name, shown_spec(target.name), error=PluginError(str(error)))
        if answer:
            answer = replace(answer, chosen=target.chosen, placed=target.has_address)
        self._inbox.put((target, answer))

    def _ask(self, target: ProbeTarget, nat: Nat) -> BackendAnswer:
        self._backends[target] = nat
        began = time.monotonic()
        try:
            address = nat.external_ip(timeout=self._left())
        except (NATError, PluginError) as error:
            return BackendAnswer(target.name, str(nat), _ms(began), error=error, evidence=nat.evidence())
        answer = BackendAnswer(target.name, str(nat), _ms(began), address, evidence=nat.evidence())
        return replace(answer, us=address_towards(answer.host, nat.interface), table=self._table(nat))

    def _table(self, nat: Nat) -> tuple[Listed, ...] | None:
        """The gateway's table, if it can be had in time."""
        try:
            return nat.list_mappings(timeout=self._left())
        except PortmapError as error:
            _log.info("%s does not show its table: %s", nat, error)
            return None

    def _left(self) -> float:
        return max(0.0, self._until - time.monotonic() - 0.1)


def _ms(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


def probe_targets(spec: str, catalogue: Catalogue | None = None) -> tuple[ProbeTarget, ...]:
    """The backends to ask for a spec. Raises SpecError for a wrong spec, or one that names no gateway.

    Beside a backend that is named without its gateway's address, the others are asked to compare.
    """
    catalogue = catalogue or Catalogue(BACKENDS)
    parsed = checked_spec(spec)
    specs = _members(parsed, catalogue)
    named = [_named(member, catalogue) for member in specs]
    taken = {catalogue.find(member).value for member in specs}
    others = () if any(target.has_address for target in named) else catalogue.plugins
    rest = [it for it in others if not it.shadowed_by and it.value not in taken]
    return (*named, *(ProbeTarget(it.names[0], _loader(it, parsed.interface), chosen=not named) for it in rest))


def _members(spec: Spec, catalogue: Catalogue) -> tuple[Spec, ...]:
    """The backends that a list names; nothing where all are meant."""
    if catalogue.find(spec).load() is not AnyBackend:
        return (spec,)
    members = parse_spec_list(spec.argument) if spec.argument else ()
    return tuple(member._replace(interface=spec.interface) for member in members)


def _named(spec: Spec, catalogue: Catalogue) -> ProbeTarget:
    plugin = catalogue.find(spec)
    backend_class = plugin.load()
    if backend_class.kind is not Kind.LOOP:
        raise SpecError(
            f"{spec.name} asks no gateway for ports, so there is none to examine: use any, or name a gateway; "
            "whether a port can be reached, portmap check says"
        )
    nat = SharedNat(construct(backend_class, spec, str(plugin)), str(plugin), interface=spec.interface)
    if nat.listens_itself:
        raise SpecError(
            f"{spec.name} asks no gateway for ports, so there is none to examine: use any, and --stun A+B, which says "
            "how the NAT maps and filters; whether a port can be reached, portmap check says"
        )
    name = spec._replace(interface=None).text
    return ProbeTarget(name, lambda: nat, has_address=spec.argument is not None)


def _loader(plugin: Plugin, interface: str | None) -> Callable[[], Nat | None]:
    def load() -> Nat | None:
        backend_class = plugin.load()
        if not _maps(backend_class):
            return None
        spec = Spec(plugin.names[0], interface=interface)
        backend = construct(backend_class, spec, str(plugin), race_constructor(backend_class))
        return SharedNat(backend, str(plugin), interface=interface)

    return load


def _maps(backend_class: Any) -> bool:
    """Whether it opens ports at a gateway that it finds by itself."""
    by_itself = getattr(backend_class, "preference", 0) is not None and getattr(backend_class, "opens_ports", True)
    return backend_class.kind is Kind.LOOP and backend_class is not AnyBackend and by_itself
