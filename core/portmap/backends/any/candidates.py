"""The candidates of a race: who takes part, and a `Nat` for each as soon as its plugin is loaded.

Rules:
- What is merely installed is loaded beside the race, never before it: a plugin that is broken, or that hangs in its
  import, costs the others nothing.
- What was asked for by name is loaded and checked at once, before anything is sent.
"""

from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, wait
from contextlib import suppress
from threading import Event, Thread
from typing import Any, NamedTuple

from portmap.backends.declarations import preference_of
from portmap.backends.load import IPV6_CONSTRUCTOR
from portmap.backends.nat import Nat
from portmap.errors import NoGateway, PluginError, SpecError
from portmap.loading.catalog import Catalogue, Plugin
from portmap.loading.construct import construct
from portmap.loading.time_limit import PluginRaised, call_without_limit, complete
from portmap.model import Kind
from portmap.network.routes import global_ipv6_address
from portmap.syntax.plugin_specs import Spec, parse_spec_list, without_arguments

HEAD_START = 0.025  # seconds that each import has for itself: at the same time each would take as long as all of them

FROM_ARGUMENT = "from_argument"
RACE = "race_from_argument"  # portmap.hookspecs


class Candidate:
    """Takes part in a race, perhaps. `name` is its spec; `rank` is final once it is `loaded`, the higher is preferred.

    `loaded` holds its Nat, or None if it takes no part; `is_loading`: that has begun.
    """

    def __init__(self, name: str, rank: int = 0) -> None:
        self.name = name
        self.rank = rank
        self.is_loading = False
        self.loaded: Future[Nat | None] = Future()

    @classmethod
    def of(cls, nat: Nat, rank: int = 0, name: str = "") -> "Candidate":
        """One that is loaded already."""
        candidate = Candidate(name or nat.name, rank)
        candidate.loaded.set_result(nat)
        return candidate

    def load(self) -> Nat | None:
        """Its Nat; None if it takes no part. Called once, on a thread of its own. Raises PluginError or SpecError."""
        return self.loaded.result()

    @property
    def is_pending(self) -> bool:
        """Whether it is being loaded just now, so that its rank is not known yet."""
        return self.is_loading and not self.loaded.done()

    @property
    def nat(self) -> Nat | None:
        """Its Nat; None while it is not loaded, and if it takes no part."""
        return self.loaded.result() if self.loaded.done() and not self.loaded.exception() else None


class InstalledCandidate(Candidate):
    """An installed plugin: it takes part if it is a LOOP backend that needs no argument and wants to be raced.

    With an `argument`, the address of a gateway, it raises SpecError where that makes no sense; with an `interface`
    where the plugin knows none.
    """

    def __init__(
        self, plugin: Plugin, constructor: str, argument: str | None = None, interface: str | None = None
    ) -> None:
        spec = Spec(min(plugin.names, key=lambda name: (len(name), name)), argument)
        super().__init__(spec.text)  # without the interface: a token begins with the name, which has no blank
        self._spec = spec._replace(interface=interface)
        self._plugin = plugin
        self._constructor = constructor

    def load(self) -> Nat | None:
        """Import, check and construct it. Raises PluginError or SpecError."""
        backend_class = self._plugin.load(call_without_limit)
        try:
            constructor = call_without_limit(lambda: self._constructor_of(backend_class), self.name)
        except PluginRaised as error:
            raise PluginError(f"{self._plugin} breaks the contract of portmap.hookspecs: {error}") from error.__cause__
        if constructor is None:
            return None
        origin = str(self._plugin)
        return Nat(construct(backend_class, self._spec, origin, constructor, call_without_limit), origin)

    def _constructor_of(self, backend_class: Any) -> str | None:
        """The constructor to use; None if it takes no part."""
        preference = preference_of(backend_class, str(self._plugin))
        if backend_class.kind is not Kind.LOOP or preference is None:
            return None
        self.rank = int(preference)
        _require(backend_class, self._constructor, str(self._plugin))
        return race_constructor(backend_class) if self._constructor == FROM_ARGUMENT else self._constructor


class CandidateLoader:
    """Loads candidates one after the other, none waiting long for the one before; only from `resume` to `pause`.

    An import takes the interpreter from all other threads, also from one that talks to a gateway already. `lead`:
    seconds that the first candidate that takes part has to itself once it is loaded.
    """

    def __init__(self, candidates: Iterable[Candidate], lead: float = 0.0) -> None:
        self._waiting = deque(candidate for candidate in candidates if not candidate.loaded.done())
        self._lead = lead
        self._paused = Event()

    def resume(self) -> None:
        """Load what is not loaded yet; returns at once."""
        self.pause()
        if self._waiting:
            self._paused = Event()
            Thread(target=self._run, args=(self._paused,), name="portmap plugins", daemon=True).start()

    def pause(self) -> None:
        """Begin to load no other."""
        self._paused.set()

    def _run(self, paused: Event) -> None:
        with suppress(IndexError):  # all are loaded
            while not paused.is_set():
                candidate = self._waiting.popleft()
                candidate.is_loading = True
                Thread(
                    target=complete, args=(candidate.loaded, candidate.load), name=f"load {candidate.name}", daemon=True
                ).start()
                wait((candidate.loaded,), HEAD_START)
                if candidate.nat is not None:
                    paused.wait(self._lead)
                    self._lead = 0.0


def race_constructor(backend_class: Any) -> str:
    """The constructor for a backend that is asked together with the others."""
    return RACE if callable(getattr(backend_class, RACE, None)) else FROM_ARGUMENT


def installed_candidates(
    catalogue: Catalogue,
    without: type,
    constructor: str = FROM_ARGUMENT,
    argument: str | None = None,
    interface: str | None = None,
) -> list[Candidate]:
    """Every installed plugin, not loaded yet, by its short name, but for those in the module of the class `without`.

    `argument`: the address of a gateway; `interface`: the one to use, None: the routing table decides. They are loaded
    in the order of their names, the shortest first: the same from start to start, whatever the metadata's order. The
    protocols that are raced have the short names. The backend `miniupnpc` never is, and imports all of UPnP.
    """
    own = f"{without.__module__}:"
    plugins = (plugin for plugin in catalogue.plugins if not plugin.shadowed_by and not plugin.value.startswith(own))
    found = (InstalledCandidate(plugin, constructor, argument, interface) for plugin in plugins)
    return sorted(found, key=_shortest_first)


def installed_ipv6_candidates(catalogue: Catalogue, without: type, interface: str | None = None) -> list[Candidate]:
    """The same for the IPv6 firewalls. Raises NoGateway where this host has no IPv6: then nothing is loaded."""
    if global_ipv6_address(interface) is None:
        here = "this host" if interface is None else f"the interface {interface}"
        raise NoGateway(f"{here} has no global IPv6 address, so there is no IPv6 firewall to speak to")
    return installed_candidates(catalogue, without, IPV6_CONSTRUCTOR, interface=interface)


def listed_candidates(text: str, catalogue: Catalogue, without: type, interface: str | None = None) -> list[Candidate]:
    """The members of a list, the first one preferred. Raises SpecError, or PluginError for one that is broken."""
    members = _members(text, catalogue, without, interface)
    return [member.candidate(FROM_ARGUMENT, -place) for place, member in enumerate(members)]


def listed_ipv6_candidates(
    text: str, catalogue: Catalogue, without: type, interface: str | None = None
) -> list[Candidate]:
    """The IPv6 firewalls of those members that have one. Raises SpecError if none has, and as `listed_candidates`."""
    candidates = []
    reasons = []
    for place, member in enumerate(_members(text, catalogue, without, interface)):
        try:
            candidates.append(member.candidate(IPV6_CONSTRUCTOR, -place))
        except SpecError as error:
            reasons.append(str(error))
    if not candidates:
        shown = without_arguments(text)
        raise SpecError(
            f"no IPv6 gateway in the list {shown!r} ({'; '.join(reasons)}): write one that knows IPv6, or any"
        )
    return candidates


class _Member(NamedTuple):
    """A member of a list, loaded."""

    spec: Spec
    plugin: Plugin
    backend_class: Any
    interface: str | None

    def candidate(self, constructor: str, rank: int) -> Candidate:
        origin = str(self.plugin)
        _require(self.backend_class, constructor, origin)
        spec = self.spec._replace(interface=self.interface)
        nat = Nat(construct(self.backend_class, spec, origin, constructor), origin)
        return Candidate.of(nat, rank, self.spec.text)


def _members(text: str, catalogue: Catalogue, without: type, interface: str | None) -> list[_Member]:
    found = [(spec, catalogue.find(spec)) for spec in parse_spec_list(text)]
    known = [(plugin.distribution, plugin.value, spec.argument) for spec, plugin in found]
    shown = without_arguments(text)
    if twice := next((spec for place, (spec, _) in enumerate(found) if known[place] in known[:place]), None):
        raise SpecError(f"the list {shown!r} names {twice} twice: write each backend once")
    members = [_Member(spec, plugin, plugin.load(), interface) for spec, plugin in found]
    for member in members:
        if member.backend_class.kind is not Kind.LOOP or member.backend_class is without:
            raise SpecError(
                f"{member.spec} has no place in the list {shown!r}, as it asks no one gateway: write it alone"
            )
    return members


def _require(backend_class: Any, constructor: str, name: str) -> None:
    if not callable(getattr(backend_class, constructor, None)):  # each has the usual one
        raise SpecError(f"{name} speaks to no IPv6 firewall")


def _shortest_first(candidate: Candidate) -> tuple[int, str]:
    return len(candidate.name), candidate.name
