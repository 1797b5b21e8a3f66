"""The settings: which instances to hold, resolved from flags, environment and file. Pure.

Flags win over the environment, the environment over the file, the file over the default.
Durations are seconds; a lease or a state that is not given is None, and left to the backend and to the command.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import NamedTuple, Self

from portmap.errors import SpecError
from portmap.loop.policy import CHECK_INTERVAL, OnConflict
from portmap.model import DEFAULT_LIFETIME, PortRequest
from portmap.syntax.durations import parse_duration
from portmap.syntax.mappings import check_distinct, parse_mapping
from portmap.syntax.specs import parse_backend_spec

LONGEST_LEASE = 7 * 86400  # seconds; a week, the longest of UPnP IGD:2, WANIPConnection:2 §2.3.2
LONGEST_INTERVAL = 86400  # seconds
ENVIRONMENT = {
    "nat": "PORTMAP_NAT",
    "lease": "PORTMAP_LEASE",
    "ip_interval": "PORTMAP_IP_INTERVAL",
    "state": "PORTMAP_STATE",
    "on_conflict": "PORTMAP_ON_CONFLICT",
    "prove": "PORTMAP_PROVE",
    "publish": "PORTMAP_PUBLISH",
    "mappings": "PORTMAP_MAPPINGS",
}
"""The variable for each setting. PORTMAP_PUBLISH has one SPEC a line, PORTMAP_MAPPINGS blanks or commas in between."""


class MappingText(NamedTuple):
    """One mapping as its text, and its own lease if it has one."""

    text: str
    lease: int | None = None

    def requests(self, lifetime: int) -> tuple[PortRequest, ...]:
        """The requests that it stands for; `lifetime` is what to ask for where it has no lease. Raises SpecError."""
        return parse_mapping(self.text, self.lease or lifetime)


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsLayer:
    """What one source says; None where it says nothing."""

    nat: str | None = None
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

    def over(self, other: Self) -> Self:
        """What this says, and where it says nothing, the other."""
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(other, **{name: value for name, value in own.items() if value is not None})


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One session: what `portmap.open` needs, with a name to tell it by. No mappings: those of the backend."""

    name: str
    nat: str = "any"
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

    def requests(self, lifetime: int) -> tuple[PortRequest, ...]:
        """All requests. Raises SpecError, also for two that want the same port."""
        requests = tuple(request for wanted in self.mappings for request in wanted.requests(self.lease or lifetime))
        check_distinct(requests)
        return requests

    def with_layer(self, layer: SettingsLayer) -> Self:
        """The same with whatever the layer says; its lease is every mapping's."""
        said = {field.name: getattr(layer, field.name) for field in fields(layer)}
        changed = replace(self, **{name: value for name, value in said.items() if value is not None})
        if layer.lease is None or layer.mappings is not None:
            return changed
        return replace(changed, mappings=tuple(MappingText(wanted.text) for wanted in changed.mappings))


class ConfigFile(NamedTuple):
    """What a file says: the settings at its top, and its instances, each settled as far as the file goes."""

    settings: SettingsLayer
    instances: tuple[Instance, ...]


def resolve(flags: SettingsLayer, environment: SettingsLayer, file: ConfigFile | None = None) -> tuple[Instance, ...]:
    """The sessions to run. Mappings named by flags or environment take the place of all that the file names.

    Raises SpecError for mappings that make no sense.
    """
    said = flags.over(environment)
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


def layer_from_texts(said: Mapping[str, str | Sequence[str] | None], words: Mapping[str, str]) -> SettingsLayer:
    """A layer from texts, by the settings' names; `words` are what the user calls them. Raises SpecError."""

    def text(name: str) -> str | None:
        value = said.get(name)
        return None if value is None else str(value)

    lease, interval, conflict, state = text("lease"), text("ip_interval"), text("on_conflict"), text("state")
    prove = text("prove")
    publish, mappings = said.get("publish"), said.get("mappings")
    return SettingsLayer(
        nat=text("nat"),
        lease=None if lease is None else parse_lease(lease, words["lease"]),
        ip_interval=None if interval is None else parse_interval(interval, words["ip_interval"]),
        state=None if state is None else check_path(state, words["state"]),
        on_conflict=None if conflict is None else parse_on_conflict(conflict, words["on_conflict"]),
        prove=None if prove is None else parse_prove(prove, words["prove"]),
        publish=tuple(publish) if publish else None,
        mappings=tuple(map(MappingText, mappings)) if mappings else None,
    )


def environment_layer(environment: Mapping[str, str]) -> SettingsLayer:
    """What the environment says; an empty variable says nothing. Raises SpecError, which names the variable."""
    said: dict[str, str | Sequence[str] | None] = {
        name: environment.get(variable) or None for name, variable in ENVIRONMENT.items()
    }
    said["publish"] = [line.strip() for line in str(said["publish"] or "").splitlines() if line.strip()]
    said["mappings"] = str(said["mappings"] or "").replace(",", " ").split()
    return layer_from_texts(said, ENVIRONMENT)


def parse_lease(text: str, what: str) -> int:
    """A lease in seconds. Raises SpecError."""
    return parse_duration(text, what, longest=LONGEST_LEASE)


def parse_interval(text: str, what: str) -> int:
    """The seconds between two checks of the gateway. Raises SpecError."""
    return parse_duration(text, what, longest=LONGEST_INTERVAL)


def check_path(text: str, what: str) -> str:
    """The text, if a path can be called so. Raises SpecError."""
    if not text or "\0" in text:
        raise SpecError(f"{what} {text!r} names nothing: write a path")
    return text


def parse_prove(text: str, what: str) -> str:
    """The text, if it is `URL[,every=DUR]`. Raises SpecError, which does not repeat the URL."""
    from portmap.reachability.prove_setting import ProveSetting  # noqa: PLC0415  # only `prove` needs it

    ProveSetting.parse(text, what)
    return text


def parse_on_conflict(text: str, what: str) -> OnConflict:
    """What to do where the external port is taken. Raises SpecError."""
    try:
        return OnConflict(text)
    except ValueError:
        raise SpecError(f"{what} {text!r} makes no sense: use next or fail") from None
