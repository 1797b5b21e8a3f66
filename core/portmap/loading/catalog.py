"""Find plugins by entry point, load and validate them one by one, say what is wrong with the broken ones.

Rules:
- One plugin's fault is that plugin's alone: whatever it raises becomes a PluginError that names it.
- Looking for plugins imports none of them; loading one imports only that one.
- Core's own backends are entry points, too.
- Where two distributions claim a name, ours keeps it: so a name of ours is found without reading any other.
"""

from collections.abc import Callable, Iterable
from functools import cache, cached_property
from inspect import isasyncgenfunction, iscoroutinefunction
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import pluggy

from portmap.errors import PluginError, SpecError
from portmap.hookspecs import BACKENDS, PROJECT, PUBLISHERS, BackendSpec, PublisherSpec
from portmap.loading.other_entries import others_may_have
from portmap.loading.own_entries import DISTRIBUTION, OwnEntry, own_entries
from portmap.loading.time_limit import PluginRaised, call_with_limit, is_readable, text_of
from portmap.model import Kind
from portmap.syntax.plugin_specs import Spec, quoted_name

if TYPE_CHECKING:  # it takes 10 ms to import, and a name of ours does not need it
    from importlib.metadata import EntryPoint

Entry: TypeAlias = "EntryPoint | OwnEntry"

HOOK_SPECS: dict[str, type] = {BACKENDS: BackendSpec, PUBLISHERS: PublisherSpec}
_REQUIRED = {BACKENDS: ("external_ip", "add_mapping", "delete_mapping"), PUBLISHERS: ()}
_ONE_OF = {BACKENDS: (), PUBLISHERS: ("converge", "on_event", "sign_record")}
GROUP_NOUN = {BACKENDS: "backend", PUBLISHERS: "publisher"}


class Plugin(NamedTuple):
    """One class behind one or more entry points of one distribution.

    `shadowed_by`: the distribution that had these names first.
    """

    group: str
    names: tuple[str, ...]
    value: str
    distribution: str
    version: str
    entry: Entry
    shadowed_by: str = ""

    def __str__(self) -> str:
        return f"{GROUP_NOUN[self.group]} {self.names[0]!r} ({self.distribution} {self.version})"

    def load(self, limit: Callable[[Callable[[], Any], str], Any] = call_with_limit) -> Any:
        """Import and validate the class. Raises PluginError, whatever the plugin raised."""
        if self.shadowed_by:
            raise PluginError(f"{self}: the name is already taken by {self.shadowed_by}; rename the entry point")
        try:
            loaded = limit(self.entry.load, f"the import of {self.value}")
        except PluginRaised as error:
            raise PluginError(f"{self} cannot be imported: {error}") from error.__cause__
        except (PluginError, SpecError) as error:
            raise PluginError(f"{self}: {error}") from error.__cause__
        try:
            limit(lambda: self._validate(loaded), f"the look at {self.value}")
        except PluginRaised as error:
            raise PluginError(f"{self} breaks the contract of portmap.hookspecs: {error}") from error.__cause__
        except PluginError as error:
            raise PluginError(str(error) if str(self) in str(error) else f"{self}: {error}") from error.__cause__
        return loaded

    def _validate(self, loaded: Any) -> None:
        if not isinstance(loaded, type):
            raise PluginError(f"{self}: {self.value} is no class")
        if not callable(getattr(loaded, "from_argument", None)):
            raise PluginError(f"{self} lacks the class method from_argument(argument)")
        if self.group == BACKENDS and not isinstance(getattr(loaded, "kind", None), Kind):
            raise PluginError(f"{self} declares no kind: set `kind: ClassVar[Kind]`")
        validate_hooks(loaded, self.group, str(self))


def manager_for(group: str) -> pluggy.PluginManager:
    """A plugin manager that knows the hooks of the group and holds no plugin yet."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(HOOK_SPECS[group])
    return manager


def validate_hooks(plugin: object, group: str, name: str) -> pluggy.PluginManager:
    """Register the plugin alone; returns the manager. Raises PluginError for a missing, odd or misspelt hook."""
    manager = manager_for(group)
    try:
        manager.register(plugin)
        manager.check_pending()
    except Exception as error:  # noqa: BLE001  # pluggy's own verdict, or what a property of the plugin raised
        cause = error if is_readable(error) else None
        raise PluginError(f"{name} breaks the contract of portmap.hookspecs: {text_of(error)}") from cause
    callers = manager.get_hookcallers(plugin) or ()
    for function in (implementation.function for caller in callers for implementation in caller.get_hookimpls()):
        if iscoroutinefunction(function) or isasyncgenfunction(function):
            raise PluginError(
                f"{name}: the hook {function.__name__} is `async def`, and hooks are called without an event loop: "
                "make it a plain `def`, and run an async client inside it (docs/plugins.md)"
            )
    implemented = {caller.name for caller in callers}
    missing = [hook for hook in _REQUIRED[group] if hook not in implemented]
    if missing:
        raise PluginError(f"{name} lacks the hook {', '.join(missing)}: mark it with @hookimpl")
    if _ONE_OF[group] and not implemented.intersection(_ONE_OF[group]):
        raise PluginError(f"{name} lacks the hook {' or '.join(_ONE_OF[group])}: mark one with @hookimpl")
    return manager


class Catalogue:
    """Every installed plugin of a group, not yet imported. `entries` stand in for the installed ones."""

    def __init__(self, group: str, entries: "Iterable[EntryPoint] | None" = None) -> None:
        self.group = group
        self._entries = None if entries is None else list(entries)

    @property
    def plugins(self) -> tuple[Plugin, ...]:
        """All of them."""
        return self._all[0]

    @property
    def faults(self) -> tuple[str, ...]:
        """The distributions that cannot be read, and why."""
        return self._all[1]

    @cached_property
    def _all(self) -> tuple[tuple[Plugin, ...], tuple[str, ...]]:
        if self._own and not others_may_have(self.group):
            return self._own, ()
        from portmap.loading.distributions import installed_entries, origin_of  # noqa: PLC0415  # most do without others

        found, faults = installed_entries(self.group) if self._entries is None else (self._entries, [])
        origin = cache(origin_of)  # reads and parses a file: once a distribution, not once an entry point
        return _group(self.group, [(entry, *origin(entry.dist)) for entry in found]), tuple(faults)

    @cached_property
    def _own(self) -> tuple[Plugin, ...]:
        """Those of our own distribution, which no other can take a name from."""
        found = own_entries(self.group) if self._entries is None else []
        return _group(self.group, [(entry, *entry.origin) for entry in found])

    def find(self, spec: Spec) -> Plugin:
        """The plugin that a spec names. Raises SpecError, with the known and the nearest names, for an unknown one."""
        plugin = _named(self._own, spec.name) or _named(self.plugins, spec.name)
        if plugin is None:
            raise SpecError(self._unknown(spec))
        return plugin

    def _unknown(self, spec: Spec) -> str:
        from difflib import get_close_matches  # noqa: PLC0415  # only a mistake pays for it

        known = sorted(name for plugin in self.plugins for name in plugin.names if not plugin.shadowed_by)
        near = get_close_matches(spec.name, known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        noun, installed = GROUP_NOUN[self.group], ", ".join(known) or "none"
        unknown = f"unknown {noun} {quoted_name(spec.name)}: {hint}installed are {installed}"
        return "; ".join([unknown, *self.faults])


def _named(plugins: Iterable[Plugin], name: str) -> Plugin | None:
    return next((plugin for plugin in plugins if name in plugin.names and not plugin.shadowed_by), None)


def _group(group: str, entries: Iterable[tuple[Entry, str, str]]) -> tuple[Plugin, ...]:
    """From entry points, each with the name and version of its distribution.

    Entry points of one value and distribution are one plugin; a name claimed twice stays with the first.
    """
    plugins: dict[tuple[str, str, bool], Plugin] = {}
    owner: dict[str, str] = {}
    for entry, distribution, version in sorted(entries, key=_rank):
        name = entry.name.lower()
        first = owner.setdefault(name, f"{distribution} {version}")
        shadowed_by = "" if first == f"{distribution} {version}" else first
        key = (distribution, entry.value, bool(shadowed_by))
        known = plugins.get(key)
        names = (*known.names, name) if known else (name,)
        plugins[key] = Plugin(group, names, entry.value, distribution, version, entry, shadowed_by)
    return tuple(plugins.values())


def _rank(row: tuple[Entry, str, str]) -> tuple[bool, str]:
    distribution = row[1]
    return distribution != DISTRIBUTION, distribution
