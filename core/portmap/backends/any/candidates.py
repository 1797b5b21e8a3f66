"""The field of a race: who takes part, and a door to each as soon as its plugin is loaded.

Law: whoever is merely installed is loaded beside the race, never before it: a plugin that is broken, or that hangs in
its import, costs the others nothing. Whoever was asked for by name is loaded and judged at once, before anything is
sent.
"""

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from threading import Event, Thread
from typing import Any

from portmap.backends.load import IPV6_CONSTRUCTOR
from portmap.backends.nat import Nat
from portmap.errors import NoGateway, SpecError
from portmap.loading.catalog import Catalogue, Plugin
from portmap.loading.construct import construct
from portmap.loading.time_limit import call_without_limit, complete
from portmap.model import Kind
from portmap.network.routes import global_ipv6_address
from portmap.syntax.specs import Spec, parse_spec_list

HEAD_START = 0.025  # seconds that each import has for itself: at the same time each would take as long as all of them

FROM_ARGUMENT = "from_argument"
RACE = "race_from_argument"  # portmap.hookspecs


@dataclass(slots=True, eq=False)
class Candidate:
    """Who may take part. `name` is its spec; `rank` tells who is preferred, and is right once `door` is there.

    `judge` gives the door, or None for one who takes no part; it is called once, on a thread. `is_loading`: that has
    begun.
    """

    name: str
    load_backend: Callable[["Candidate"], Nat | None]
    rank: int = 0
    is_loading: bool = False
    loaded: "Future[Nat | None]" = field(default_factory=Future)

    @classmethod
    def of(cls, nat: Nat, rank: int = 0, name: str = "") -> "Candidate":
        """One whose door is there already."""
        runner = cls(name or nat.name, lambda _: nat, rank)
        runner.loaded.set_result(nat)
        return runner

    def load(self) -> Nat | None:
        """The door; whatever the plugin raises."""
        return self.load_backend(self)

    @property
    def is_pending(self) -> bool:
        """Whether it is being loaded just now: nobody knows its rank yet."""
        return self.is_loading and not self.loaded.done()

    @property
    def nat(self) -> Nat | None:
        """The door; None as long as there is none, and for one who takes no part."""
        return self.loaded.result() if self.loaded.done() and not self.loaded.exception() else None


class CandidateLoader:
    """Loads runners one after the other, none waiting long for the one before; only while it is told to go on.

    An import takes the interpreter from everybody else, also from who has found a gateway already and is talking to it:
    hence `rest`. `lead`: seconds that the first one has to itself once it is there.
    """

    def __init__(self, runners: Iterable[Candidate], lead: float = 0.0) -> None:
        self._waiting = deque(runner for runner in runners if not runner.loaded.done())
        self._lead = lead
        self._rest = Event()

    def resume(self) -> None:
        """Load whoever is not loaded yet; returns at once."""
        self.pause()
        if self._waiting:
            self._rest = Event()
            Thread(target=self._run, args=(self._rest,), name="portmap plugins", daemon=True).start()

    def pause(self) -> None:
        """Begin to load nobody else."""
        self._rest.set()

    def _run(self, rest: Event) -> None:
        with suppress(IndexError):  # all are loaded
            while not rest.is_set():
                runner = self._waiting.popleft()
                runner.is_loading = True
                Thread(
                    target=complete, args=(runner.loaded, runner.load), name=f"load {runner.name}", daemon=True
                ).start()
                wait((runner.loaded,), HEAD_START)
                rest.wait(self._lead)
                self._lead = 0.0


def race_constructor(backend_class: Any) -> str:
    """The constructor for one who is asked together with all the others."""
    return RACE if callable(getattr(backend_class, RACE, None)) else FROM_ARGUMENT


def installed_candidates(catalogue: Catalogue, without: type, constructor: str = FROM_ARGUMENT) -> list[Candidate]:
    """Every installed LOOP backend that needs no argument and wants to be raced; not yet loaded, by their short names.

    Who comes first in the alphabet is loaded first: the same from start to start, whatever the metadata's order.
    """

    def load(plugin: Plugin, runner: Candidate) -> Nat | None:
        backend_class = plugin.load(call_without_limit)
        preference = getattr(backend_class, "preference", 0)
        if backend_class.kind is not Kind.LOOP or backend_class is without or preference is None:
            return None
        runner.rank = int(preference)
        _require(backend_class, constructor, str(plugin))
        chosen = race_constructor(backend_class) if constructor == FROM_ARGUMENT else constructor
        return Nat(construct(backend_class, Spec(runner.name), str(plugin), chosen, call_without_limit), str(plugin))

    our_own = f"{without.__module__}:"  # who stands beside it asks no gateway, either
    plugins = [it for it in catalogue.plugins if not it.shadowed_by and not it.value.startswith(our_own)]
    named = [(min(plugin.names, key=lambda name: (len(name), name)), plugin) for plugin in plugins]
    return [Candidate(name, partial(load, plugin)) for name, plugin in sorted(named, key=lambda it: it[0])]


def installed_ipv6_candidates(catalogue: Catalogue, without: type) -> list[Candidate]:
    """The same for the IPv6 firewalls. Raises NoGateway where this host has no IPv6: nobody is loaded for nothing."""
    if global_ipv6_address() is None:
        raise NoGateway("this host has no global IPv6 address, so there is no IPv6 firewall to speak to")
    return installed_candidates(catalogue, without, IPV6_CONSTRUCTOR)


def listed_candidates(text: str, catalogue: Catalogue, without: type) -> list[Candidate]:
    """The members of a list, the first one preferred. Raises SpecError, or PluginError for one that is broken."""
    members = _members(text, catalogue, without)
    return [member.runner(FROM_ARGUMENT, -place) for place, member in enumerate(members)]


def listed_ipv6_candidates(text: str, catalogue: Catalogue, without: type) -> list[Candidate]:
    """The IPv6 firewalls of those members that know one. Raises SpecError where nobody does, and as `listed`."""
    runners = []
    reasons = []
    for place, member in enumerate(_members(text, catalogue, without)):
        try:
            runners.append(member.runner(IPV6_CONSTRUCTOR, -place))
        except SpecError as error:
            reasons.append(str(error))
    if not runners:
        raise SpecError(f"no IPv6 gateway in the list {text!r} ({'; '.join(reasons)}): write one that has, or any")
    return runners


@dataclass(frozen=True, slots=True)
class _Member:
    """One of a list, loaded."""

    spec: Spec
    plugin: Plugin
    backend_class: Any

    def runner(self, constructor: str, rank: int) -> Candidate:
        origin = str(self.plugin)
        _require(self.backend_class, constructor, origin)
        return Candidate.of(
            Nat(construct(self.backend_class, self.spec, origin, constructor), origin), rank, str(self.spec)
        )


def _members(text: str, catalogue: Catalogue, without: type) -> list[_Member]:
    found = [(spec, catalogue.find(spec)) for spec in parse_spec_list(text)]
    known = [(plugin.distribution, plugin.value, spec.argument) for spec, plugin in found]
    if twice := next((spec for place, (spec, _) in enumerate(found) if known[place] in known[:place]), None):
        raise SpecError(f"the list {text!r} names {twice} twice: write each backend once")
    members = [_Member(spec, plugin, plugin.load()) for spec, plugin in found]
    for member in members:
        if member.backend_class.kind is not Kind.LOOP or member.backend_class is without:
            raise SpecError(
                f"{member.spec} has no place in the list {text!r}, as it asks no one gateway: write it alone"
            )
    return members


def _require(backend_class: Any, constructor: str, name: str) -> None:
    if not callable(getattr(backend_class, constructor, None)):  # each has the usual one
        raise SpecError(f"{name} speaks to no IPv6 firewall")
