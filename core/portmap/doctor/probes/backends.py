"""Everybody is asked at once, each on a thread of its own, and heard until the time is over.

Law: the end comes in time whatever a backend does; who has not answered by then is said not to have. The threads are
daemons and hold up nobody.

Who is asked: every installed backend that maps ports, or those that a spec names.

Law: nothing is sent here. Whoever is merely installed is loaded later, beside the others; what the user named is found
at once, and a mistake of his is told before anything is asked.
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
from portmap.backends.nat import Nat
from portmap.backends.shared import SharedNat
from portmap.doctor.findings import BackendAnswer
from portmap.errors import GatewayTimeout, NATError, PluginError, PortmapError, SpecError
from portmap.hookspecs import BACKENDS
from portmap.loading.catalog import Catalogue, Plugin
from portmap.loading.construct import construct
from portmap.model import Kind, Listed
from portmap.network.egress import address_towards
from portmap.syntax.specs import Spec, parse_backend_spec, parse_spec_list


@dataclass(frozen=True, slots=True)
class ProbeTarget:
    """One to be asked. `load` gives the door, None for who takes no part; `chosen` and `placed` as in `Answer`."""

    name: str
    load: Callable[[], Nat | None]
    chosen: bool = True
    has_address: bool = False


PATIENCE = 4.5  # seconds; a silent NAT-PMP gateway is given up after 3.75, a search for UPnP after 2.5
_log = logging.getLogger("portmap.doctor")


class BackendProbe:
    """Asks as soon as it is made; `answers` waits for them. `until` is on the monotonic clock."""

    def __init__(self, witnesses: Iterable[ProbeTarget], patience: float = PATIENCE) -> None:
        self._witnesses = tuple(witnesses)
        self._until = time.monotonic() + patience
        self._patience = patience
        self._inbox: SimpleQueue[tuple[ProbeTarget, BackendAnswer | None]] = SimpleQueue()
        self._doors: dict[ProbeTarget, Nat] = {}
        for witness in self._witnesses:
            Thread(target=self._run, args=(witness,), name=f"doctor {witness.name}", daemon=True).start()

    def answers(self) -> tuple[BackendAnswer, ...]:
        """What everybody said, in the order of the witnesses; who takes no part is left out."""
        heard = dict(self.results())
        answers = [heard.get(witness, self._silence(witness)) for witness in self._witnesses]
        return tuple(answer for answer in answers if answer)

    def results(self) -> Iterator[tuple[ProbeTarget, BackendAnswer | None]]:
        """Each answer when it is there, until all are in or the time is over; None for who takes no part. Once."""
        for _ in self._witnesses:
            try:
                yield self._inbox.get(timeout=max(0.0, self._until - time.monotonic()))
            except Empty:
                return

    def backend(self, name: str) -> Nat | None:
        """The door to the witness of that name, if there is one."""
        return next((nat for witness, nat in self._doors.items() if witness.name == name), None)

    def _silence(self, witness: ProbeTarget) -> BackendAnswer:
        name = str(self._doors.get(witness, witness.name))
        error = GatewayTimeout(f"{name} did not answer within {self._patience:g} s")
        return BackendAnswer(witness.name, name, error=error, chosen=witness.chosen, placed=witness.has_address)

    def _run(self, witness: ProbeTarget) -> None:
        try:
            nat = witness.load()
            answer = self._ask(witness, nat) if nat else None
        except (PluginError, SpecError) as error:
            answer = BackendAnswer(witness.name, witness.name, error=PluginError(str(error)))
        if answer:
            answer = replace(answer, chosen=witness.chosen, placed=witness.has_address)
        self._inbox.put((witness, answer))

    def _ask(self, witness: ProbeTarget, nat: Nat) -> BackendAnswer:
        self._doors[witness] = nat
        began = time.monotonic()
        try:
            address = nat.external_ip(timeout=self._left())
        except (NATError, PluginError) as error:
            return BackendAnswer(witness.name, str(nat), _ms(began), error=error, evidence=nat.evidence())
        answer = BackendAnswer(witness.name, str(nat), _ms(began), address, evidence=nat.evidence())
        return replace(answer, us=address_towards(answer.host), table=self._table(nat))

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
    """Whom to ask about a spec. Raises SpecError for one that makes no sense, or names no gateway.

    Beside a backend that is named without saying where its gateway is, the others are asked to compare.
    """
    catalogue = catalogue or Catalogue(BACKENDS)
    specs = _members(parse_backend_spec(spec), catalogue)
    named = [_named(member, catalogue) for member in specs]
    taken = {catalogue.find(member).value for member in specs}
    others = () if any(witness.has_address for witness in named) else catalogue.plugins
    rest = [it for it in others if not it.shadowed_by and it.value not in taken]
    return (*named, *(ProbeTarget(it.names[0], _loader(it), chosen=not named) for it in rest))


def _members(spec: Spec, catalogue: Catalogue) -> tuple[Spec, ...]:
    """What a list names; nothing where everybody is meant."""
    if catalogue.find(spec).load() is not AnyBackend:
        return (spec,)
    return parse_spec_list(spec.argument) if spec.argument else ()


def _named(spec: Spec, catalogue: Catalogue) -> ProbeTarget:
    plugin = catalogue.find(spec)
    backend_class = plugin.load()
    if backend_class.kind is Kind.NONE:
        raise SpecError(f"{spec} names no gateway, so there is nothing to examine: use any, or name a gateway")
    nat = SharedNat(construct(backend_class, spec, str(plugin)), str(plugin))
    return ProbeTarget(str(spec), lambda: nat, has_address=spec.argument is not None)


def _loader(plugin: Plugin) -> Callable[[], Nat | None]:
    def load() -> Nat | None:
        backend_class = plugin.load()
        if not _maps(backend_class):
            return None
        backend = construct(backend_class, Spec(plugin.names[0]), str(plugin), race_constructor(backend_class))
        return SharedNat(backend, str(plugin))

    return load


def _maps(backend_class: Any) -> bool:
    """Whether it speaks to a gateway that it finds by itself, and opens ports there."""
    by_itself = getattr(backend_class, "preference", 0) is not None and getattr(backend_class, "opens_ports", True)
    return backend_class.kind is Kind.LOOP and backend_class is not AnyBackend and by_itself
