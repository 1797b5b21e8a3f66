"""What a backend declares about itself, read once and checked."""

from typing import Any, NamedTuple

import pluggy

from portmap.errors import PluginError
from portmap.hookspecs import BACKENDS
from portmap.loading.catalog import validate_hooks
from portmap.loading.time_limit import PluginRaised, call_with_limit, text_of
from portmap.model import DEFAULT_LIFETIME, MAX_LIFETIME, Kind
from portmap.printable import printable

CLIENT = "client"  # the hook argument for mappings to another host: portmap.hookspecs


class Declarations(NamedTuple):
    """The attributes of `portmap.hookspecs`, the hooks, and the backend's own text.

    `maps_for_others`, `finds_for_others`: whether its hooks to map and delete, and to look, take a `client`.
    `listens_itself`: whether it has the hook `local_port`.
    """

    hooks: pluggy.HookRelay
    text: str
    kind: Kind
    opens_ports: bool
    relays: bool
    ipv6: bool
    default_lifetime: int
    default_mappings: tuple[str, ...]
    maps_for_others: bool
    finds_for_others: bool
    listens_itself: bool


def read_declarations(backend: Any, name: str) -> Declarations:
    """Ask the backend, within the time limit for plugins. Raises PluginError, whatever it raises or declares."""
    try:
        return call_with_limit(lambda: _read(backend, name), f"the look at {name}")
    except PluginRaised as error:
        raise PluginError(f"{name} breaks the contract of portmap.hookspecs: {error}") from error.__cause__


def preference_of(backend: Any, name: str) -> int | None:
    """The preference in a race; None: asked by name only. Raises PluginError for what is no number."""
    preference = getattr(backend, "preference", 0)
    if preference is not None and not isinstance(preference, int):
        raise PluginError(f"{name} declares the preference {_shown(preference)}: write a whole number, or None")
    return preference


def display_text(backend: Any, name: str) -> str:
    """`str(backend)`, for people. It may hang: for the thread of the backend."""
    return printable(text_of(backend, name)) or name


def _read(backend: Any, name: str) -> Declarations:
    hooks = validate_hooks(backend, BACKENDS, name).hook
    kind, lifetime = backend.kind, getattr(backend, "default_lifetime", DEFAULT_LIFETIME)
    mappings = getattr(backend, "default_mappings", ())
    preference_of(backend, name)
    if not isinstance(kind, Kind):
        raise PluginError(f"{name} declares the kind {_shown(kind)}: set `kind: ClassVar[Kind]`")
    if not isinstance(lifetime, int) or not 1 <= lifetime <= MAX_LIFETIME:
        raise PluginError(f"{name} declares the default_lifetime {_shown(lifetime)}: write seconds")
    if not isinstance(mappings, tuple) or not all(isinstance(mapping, str) for mapping in mappings):
        raise PluginError(f"{name} declares the default_mappings {_shown(mappings)}: write a tuple of texts")
    return Declarations(
        hooks,
        display_text(backend, name),
        kind,
        bool(getattr(backend, "opens_ports", True)),
        bool(getattr(backend, "relays", False)),
        bool(getattr(backend, "ipv6", False)),
        lifetime,
        mappings,
        all(_takes(hook, CLIENT) for hook in (hooks.add_mapping, hooks.delete_mapping)),
        _takes(hooks.has_mapping, CLIENT),
        bool(hooks.local_port.get_hookimpls()),
    )


def _takes(hook: pluggy.HookCaller, argument: str) -> bool:
    """Whether the backend's implementation of the hook names this argument."""
    return any(argument in implementation.argnames for implementation in hook.get_hookimpls())


def _shown(value: object) -> str:
    try:
        return repr(value)[:80]
    except Exception:  # noqa: BLE001  # a plugin's __repr__ may raise anything
        return f"of the type {type(value).__name__}"
