"""The settings: which instances to hold, resolved from flags, environment and file. Pure.

Flags win over the environment, the environment over the file, the file over the default.
Durations are seconds; a lease or a state that is not given is None, and left to the backend and to the command.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

from portmap.config.options import MAPPINGS_VARIABLE, SETTINGS, OptionRow
from portmap.loop.policy import CHECK_INTERVAL, OnConflict
from portmap.model import DEFAULT_LIFETIME, PortRequest
from portmap.syntax.mappings import check_distinct, parse_mapping
from portmap.syntax.plugin_specs import chain_text, on_interface, parse_backend_spec


class MappingText(NamedTuple):
    """One mapping as its text, and its own lease if it has one."""

    text: str
    lease: int | None = None

    def requests(self, lifetime: int) -> tuple[PortRequest, ...]:
        """The requests that it stands for; `lifetime` is what to ask for where it has no lease. Raises SpecError."""
        return parse_mapping(self.text, self.lease or lifetime)

    def to_open(self) -> tuple[str | PortRequest, ...]:
        """What `portmap.open` takes: the text, for which the backend may choose the lifetime, or requests with it."""
        return (self.text,) if self.lease is None else self.requests(self.lease)


class SettingsLayer(NamedTuple):
    """What one source says; None where it says nothing. A field for each row of `options.SETTINGS`."""

    nat: str | None = None
    beyond: tuple[str, ...] | None = None
    interface: str | None = None
    lease: int | None = None
    ip_interval: int | None = None
    state: str | None = None
    on_conflict: OnConflict | None = None
    prove: str | None = None
    publish: tuple[str, ...] | None = None
    ipv4: bool | None = None
    ipv6: bool | None = None
    allow_private: bool | None = None
    mappings: tuple[MappingText, ...] | None = None

    def over(self, other: "SettingsLayer") -> "SettingsLayer":
        """What this says, and where it says nothing, the other."""
        return SettingsLayer._make(it if it is not None else that for it, that in zip(self, other, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One session: what `portmap.open` needs, with a name to tell it by. No mappings: those of the backend.

    A field for each row of `options.SETTINGS`.
    """

    name: str
    nat: str = "any"
    beyond: tuple[str, ...] = ()
    interface: str | None = None
    mappings: tuple[MappingText, ...] = ()
    publish: tuple[str, ...] = ()
    lease: int | None = None
    ip_interval: int = int(CHECK_INTERVAL)
    state: str | None = None
    on_conflict: OnConflict = OnConflict.NEXT
    prove: str | None = None
    ipv4: bool = True
    ipv6: bool = True
    allow_private: bool = False

    @property
    def settings(self) -> dict[str, Any]:
        """Every setting by its name, as `portmap.open` takes it."""
        return {option.name: getattr(self, option.name) for option in SETTINGS}

    @property
    def gateway(self) -> str:
        """The spec of the gateway, or of the chain of gateways, by the interface that was chosen. Raises SpecError."""
        return on_interface(chain_text(self.nat, self.beyond), self.interface)

    def requests(self, lifetime: int) -> tuple[PortRequest, ...]:
        """All requests. Raises SpecError, also for two that want the same port."""
        requests = tuple(request for wanted in self.mappings for request in wanted.requests(self.lease or lifetime))
        check_distinct(requests)
        return requests

    def with_layer(self, layer: SettingsLayer) -> Self:
        """The same with what the layer says; its lease then applies to all mappings."""
        changed = replace(self, **{name: value for name, value in layer._asdict().items() if value is not None})
        if layer.lease is None or layer.mappings is not None:
            return changed
        return replace(changed, mappings=tuple(MappingText(wanted.text) for wanted in changed.mappings))


def texts_of(said: SettingsLayer | Instance, options: Iterable[OptionRow]) -> Iterator[tuple[OptionRow, str]]:
    """Each text that these options have there, with its option."""
    for option in options:
        value = getattr(said, option.name) or ()
        yield from ((option, text) for text in ((value,) if isinstance(value, str) else value))


class ConfigFile(NamedTuple):
    """What a file says: the settings at its top, and its instances, each settled as far as the file goes."""

    settings: SettingsLayer
    instances: tuple[Instance, ...]


def resolve(said: SettingsLayer, file: ConfigFile | None = None) -> tuple[Instance, ...]:
    """The sessions to run; `said` is what flags and environment say. Its mappings replace all that the file names.

    Raises SpecError for mappings that make no sense.
    """
    if said.mappings is not None or file is None or not file.instances:
        settings = said if file is None else said.over(file.settings)
        named = Instance(name=default_name(settings.nat or "any")).with_layer(settings)
        instances: tuple[Instance, ...] = (named,)
    else:
        instances = tuple(instance.with_layer(said) for instance in file.instances)
    for instance in instances:
        instance.requests(DEFAULT_LIFETIME)
    return instances


def default_name(nat: str) -> str:
    """What to call the session of a gateway that has no name of its own."""
    return parse_backend_spec(nat).name


def flags_layer(given: Mapping[str, object], mappings: Sequence[str]) -> SettingsLayer:
    """What the command line says, by the options' names. Raises SpecError, which names the flag."""
    said: dict[str, Any] = {option.name: option.from_flag(given.get(option.name)) for option in SETTINGS}
    return SettingsLayer(**said, mappings=_mapping_texts(mappings))


def environment_layer(environment: Mapping[str, str]) -> SettingsLayer:
    """What the environment says; an empty variable says nothing. Raises SpecError, which names the variable."""
    named = (option for option in SETTINGS if option.variable)
    said: dict[str, Any] = {option.name: option.from_variable(environment.get(option.variable, "")) for option in named}
    mappings = environment.get(MAPPINGS_VARIABLE, "").replace(",", " ").split()
    return SettingsLayer(**said, mappings=_mapping_texts(mappings))


def _mapping_texts(texts: Sequence[str]) -> tuple[MappingText, ...] | None:
    return tuple(map(MappingText, texts)) or None
